import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { withRetry } from '../../core/retry.ts'
import type { JsonObject } from '../../core/wire/common.ts'
import type { Deployment, DeploymentFlowRunCreate } from '../../core/wire/deployment.ts'
import { age, presentTime } from './ages.ts'
import { addBackfillCommand } from './backfill.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { consoleUrl } from './console-url.ts'
import { everyPage, findDeployment, withFlowNames } from './find.ts'
import { collect, parseAssignments, parseJsonObject } from './parameters.ts'
import { addRunManyCommand } from './run-many.ts'
import { addScheduleCommands } from './schedule.ts'
import { describeSchedule } from './schedule-text.ts'
import { statusCell } from './state-style.ts'
import type { Cell } from './table.ts'
import { watchFlowRun } from './watch.ts'

const NAME = 'flow/deployment, or its id'

export function addDeploymentCommands(program: Command): void {
  const group = program.command('deployment').description('deployments: flows prepared to run')
  group
    .command('run')
    .description('create a flow run of a deployment')
    .argument('<name>', NAME)
    .option('-p, --param <key=value>', 'a parameter; JSON where it is JSON', collect)
    .option('--params <json>', 'parameters as a JSON object, or @file')
    .option('--job-variable <key=value>', 'a job variable of this run', collect)
    .option('--queue <name>', "the work queue, instead of the deployment's")
    .option('--name <name>', "the run's name")
    .option('--tag <tag>', 'may be repeated', collect)
    .option('--watch', 'follow it until it ends; exits 1 when it did not complete')
    .action(withApi(runDeployment))
  addRunManyCommand(group)
  group.command('ls').description('list the deployments').action(withApi(listDeployments))
  group
    .command('inspect')
    .description('show a deployment')
    .argument('<name>', NAME)
    .action(withApi(inspectDeployment))
  group
    .command('pause')
    .description('let its schedules create no runs')
    .argument('<name>', NAME)
    .action(
      withApi((session: Session, _options: object, name: string) => pause(session, name, true)),
    )
  group
    .command('resume')
    .description('let its schedules create runs again')
    .argument('<name>', NAME)
    .action(
      withApi((session: Session, _options: object, name: string) => pause(session, name, false)),
    )
  group
    .command('delete')
    .description('delete a deployment with its runs that have not begun')
    .argument('<name>', NAME)
    .option('-y, --yes', 'do not ask')
    .action(withApi(deleteDeployment))
  addBackfillCommand(group)
  addScheduleCommands(group)
}

interface RunOptions {
  param?: string[]
  params?: string
  jobVariable?: string[]
  queue?: string
  name?: string
  tag?: string[]
  watch?: boolean
}

async function runDeployment(
  { client, out }: Session,
  options: RunOptions,
  name: string,
): Promise<void> {
  const body = runBody(options)
  const { deployment, fullName } = await findDeployment(client, name)
  // The key makes it safe to ask again when an answer was lost.
  const run = await withRetry(() => client.createFlowRunFromDeployment(deployment.id, body), {
    attempts: 3,
  })
  const created = `Created flow run '${run.name}' (${run.id}) of ${fullName}.`
  if (options.watch === true) {
    out.progress([created])
    await watchFlowRun(client, out, { id: run.id })
    return
  }
  out.result(run, () => {
    out.line(created)
    out.line(`Follow it with \`headgate flow-run watch ${run.id}\`,`)
    out.line(`or at ${consoleUrl(client, `/runs/${run.id}`)}`)
  })
}

function runBody(options: RunOptions): DeploymentFlowRunCreate {
  const parameters: JsonObject = {
    ...(options.params === undefined ? {} : parseJsonObject(options.params, '--params')),
    ...parseAssignments(options.param ?? [], '--param'),
  }
  return {
    parameters,
    idempotency_key: randomUUID(),
    ...(options.jobVariable === undefined
      ? {}
      : { job_variables: parseAssignments(options.jobVariable, '--job-variable') }),
    ...(options.queue === undefined ? {} : { work_queue_name: options.queue }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.tag === undefined ? {} : { tags: options.tag }),
  }
}

async function listDeployments({ client, out }: Session): Promise<void> {
  const deployments = await everyPage((page) => client.filterDeployments(page))
  if (out.json) {
    out.result(deployments, () => undefined)
    return
  }
  if (deployments.length === 0) {
    out.note('There are no deployments yet. `headgate deploy` makes them.')
    return
  }
  const named = await withFlowNames(client, deployments)
  out.table(
    [
      { title: 'NAME' },
      { title: 'POOL/QUEUE' },
      { title: 'STATUS' },
      { title: 'SCHEDULES', shrinks: true },
      { title: 'VERSION' },
    ],
    named.map(({ deployment, fullName }) => [
      fullName,
      place(deployment),
      statusCell(deployment.status, deployment.paused),
      schedulesText(deployment),
      deployment.version ?? '-',
    ]),
  )
}

function schedulesText({ schedules }: Deployment): string {
  return (
    schedules
      .map(({ schedule, active }) => `${describeSchedule(schedule)}${active ? '' : ' (paused)'}`)
      .join('; ') || '-'
  )
}

function place({ work_pool_name, work_queue_name }: Deployment): string {
  return work_pool_name === null ? '-' : `${work_pool_name}/${work_queue_name ?? '-'}`
}

async function inspectDeployment(
  { client, out }: Session,
  _options: object,
  name: string,
): Promise<void> {
  const { deployment, fullName } = await findDeployment(client, name)
  out.result(deployment, () => {
    out.fields(deploymentFields(deployment, fullName))
  })
}

function deploymentFields(deployment: Deployment, fullName: string): (readonly [string, Cell])[] {
  const at = presentTime()
  const limit = deployment.global_concurrency_limit?.limit
  return [
    ['Name', fullName],
    ['Id', deployment.id],
    ['Description', deployment.description ?? '-'],
    ['Status', statusCell(deployment.status, deployment.paused)],
    ['Pool/queue', place(deployment)],
    ['Entrypoint', deployment.entrypoint ?? '-'],
    ['Version', deployment.version ?? '-'],
    ['Tags', deployment.tags.join(', ') || '-'],
    ['Schedules', schedulesText(deployment)],
    ['Limit', limit === undefined ? 'none' : String(limit)],
    ['Parameters', JSON.stringify(deployment.parameters, undefined, 2)],
    ['Job variables', JSON.stringify(deployment.job_variables, undefined, 2)],
    ['Pull steps', JSON.stringify(deployment.pull_steps ?? [], undefined, 2)],
    ['Signed', signedText(deployment)],
    ['Created', age(deployment.created, at)],
    ['Updated', age(deployment.updated, at)],
  ]
}

function signedText({ signature }: Deployment): string {
  return signature === null ? 'no' : `${signature.signed_at} by key ${signature.key_id}`
}

async function pause({ client, out }: Session, name: string, paused: boolean): Promise<void> {
  const { deployment, fullName } = await findDeployment(client, name)
  await (paused ? client.pauseDeployment(deployment.id) : client.resumeDeployment(deployment.id))
  const after = await client.readDeployment(deployment.id)
  out.result(after, () => {
    out.line(`${paused ? 'Paused' : 'Resumed'} deployment '${fullName}'.`)
  })
}

async function deleteDeployment(
  { client, out }: Session,
  options: { yes?: boolean },
  name: string,
): Promise<void> {
  const { deployment, fullName } = await findDeployment(client, name)
  await confirm(`Delete deployment '${fullName}' and its runs that have not begun?`, options.yes)
  await client.deleteDeployment(deployment.id)
  out.result(deployment, () => {
    out.line(`Deleted deployment '${fullName}'.`)
  })
}

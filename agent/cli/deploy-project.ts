import { resolve } from 'node:path'
import { ApiError, type Client } from '../../core/client.ts'
import type { SchedulePlan } from '../../core/schedule-changes.ts'
import type { Deployment, DeploymentUpdate } from '../../core/wire/deployment.ts'
import type { DeploymentSchedule, DeploymentScheduleCreate } from '../../core/wire/schedule.ts'
import { applySchedules } from '../../sdk/deployment-schedules.ts'
import type { Session } from './command.ts'
import type { DeployOptions } from './deploy.ts'
import { deploymentBody, deploymentCreateBody, wantedSchedules } from './deployment-body.ts'
import { usageError } from './cli-error.ts'
import { findPool } from './work-pool.ts'
import { type FlowSource, isEntrypoint, readFlowSource } from './flow-source.ts'
import type { Output } from './output.ts'
import { parseAssignments, parseJsonObject } from './parameters.ts'
import { type Project, type ProjectDeployment, readProject } from './project-file.ts'
import { scheduleOf } from './schedule-options.ts'
import { describeSchedule } from './schedule-text.ts'
import { readSigningKey, signedBody } from './sign-deployment.ts'

interface Prepared {
  entry: ProjectDeployment
  source: FlowSource
  body: DeploymentUpdate
}

/** Deploys what the words choose; everything is read and checked before the first deployment is touched. */
export async function deployAll(
  { client, out }: Session,
  options: DeployOptions,
  words: readonly string[],
): Promise<void> {
  const project = choose(options, words)
  const prepared: Prepared[] = []
  for (const entry of project.deployments) {
    // One module after the other: two that print or fail at once could not be told apart.
    const source = await readFlowSource(project.folder, entry.entrypoint, entry.flow_name)
    prepared.push({ entry, source, body: deploymentBody(entry, source, project.folder) })
  }
  const pools = new Set(prepared.map(({ entry }) => poolOf(entry)))
  await Promise.all([...pools].map((pool) => findPool(client, pool)))
  const ready = await Promise.all(
    prepared.map((each) => signIfAsked(client, each, options, project.folder)),
  )
  const deployed: Deployment[] = []
  for (const each of ready) {
    // In the file's order, so that a failure leaves a known part done.
    deployed.push(await deployOne(client, out, each))
  }
  out.result(deployed, () => {
    const [first] = prepared
    if (first !== undefined) {
      out.line(`Run it with \`headgate deployment run ${fullName(first)} --watch\`.`)
    }
  })
  await Promise.all([...pools].map((pool) => warnWithoutAgent(client, out, pool)))
}

/** A key that the command line names goes before that of the file, which is meant from the file's folder. */
async function signIfAsked(
  client: Client,
  prepared: Prepared,
  options: DeployOptions,
  folder: string,
): Promise<Prepared> {
  const { entry, source, body } = prepared
  const file =
    options.signWith || (entry.sign_with == null ? undefined : resolve(folder, entry.sign_with))
  if (file === undefined) {
    return prepared
  }
  const signed = await signedBody(client, {
    flowName: source.flowName,
    deploymentName: entry.name,
    pool: poolOf(entry),
    body,
    privateKey: readSigningKey(file),
    acceptTemplate: options.acceptTemplate === true,
  })
  return { ...prepared, body: signed }
}

function choose(options: DeployOptions, words: readonly string[]): Project {
  const [word, ...more] = words
  if (word !== undefined && isEntrypoint(word)) {
    if (more.length > 0) {
      throw usageError('Deploy one entrypoint at a time.')
    }
    return { folder: process.cwd(), deployments: [entryOf(options, word)] }
  }
  const project = readProject(options.file)
  const chosen = named(project, options, words).map((entry) => withDefaults(entry, options))
  return { ...project, deployments: chosen }
}

function named(
  { deployments }: Project,
  options: DeployOptions,
  words: readonly string[],
): ProjectDeployment[] {
  const wanted = options.name === undefined ? words : [...words, options.name]
  const known = deployments.map(({ name }) => name).join(', ')
  if (options.all === true || (wanted.length === 0 && deployments.length === 1)) {
    return deployments
  }
  if (wanted.length === 0) {
    throw usageError(
      `${options.file} lists several deployments: ${known}.`,
      'Name those to deploy, or give --all.',
    )
  }
  const missing = wanted.find((word) => !deployments.some(({ name }) => name === word))
  if (missing !== undefined) {
    throw usageError(`${options.file} lists no deployment '${missing}', but ${known}.`)
  }
  return deployments.filter(({ name }) => wanted.includes(name))
}

function withDefaults(entry: ProjectDeployment, options: DeployOptions): ProjectDeployment {
  return {
    ...entry,
    work_pool: {
      ...entry.work_pool,
      name: entry.work_pool?.name ?? options.pool,
      work_queue_name: entry.work_pool?.work_queue_name ?? options.queue,
    },
  }
}

/** Makes of the options what a project file would say. */
function entryOf(options: DeployOptions, entrypoint: string): ProjectDeployment {
  if (options.name === undefined) {
    throw usageError("The deployment's name is missing.", `Give it: --name hello`)
  }
  const schedule = scheduleOf(options)
  const parameters = {
    ...(options.params === undefined ? {} : parseJsonObject(options.params, '--params')),
    ...parseAssignments(options.param ?? [], '--param'),
  }
  return {
    name: options.name,
    entrypoint,
    version: options.version,
    description: options.description,
    tags: options.tag,
    parameters: Object.keys(parameters).length === 0 ? undefined : parameters,
    paused: options.paused,
    ...(options.concurrencyLimit === undefined
      ? {}
      : { concurrency_limit: options.concurrencyLimit }),
    schedules: schedule === undefined ? undefined : [{ ...schedule.schedule, slug: schedule.slug }],
    work_pool: {
      name: options.pool,
      work_queue_name: options.queue,
      job_variables:
        options.jobVariable === undefined
          ? undefined
          : parseAssignments(options.jobVariable, '--job-variable'),
    },
  }
}

function poolOf({ name, work_pool }: ProjectDeployment): string {
  if (work_pool?.name == null) {
    throw usageError(
      `Deployment '${name}' names no work pool.`,
      'Give one with --pool, or as work_pool.name in the project file; `headgate work-pool ls` lists them.',
    )
  }
  return work_pool.name
}

async function deployOne(client: Client, out: Output, prepared: Prepared): Promise<Deployment> {
  const { entry, source, body } = prepared
  const existing = await findExisting(client, source.flowName, entry.name)
  if (existing === undefined) {
    const flow = await client.createFlow({ name: source.flowName })
    const created = await client.createDeployment(deploymentCreateBody(entry, flow.id, body))
    report(out, prepared, created, 'Created')
    return created
  }
  await client.updateDeployment(existing.id, body)
  const wanted = wantedSchedules(entry)
  const done = wanted === undefined ? undefined : await applySchedules(client, existing.id, wanted)
  const updated = await client.readDeployment(existing.id)
  report(out, prepared, updated, 'Updated')
  tellSchedules(out, done)
  return updated
}

async function findExisting(
  client: Client,
  flow: string,
  name: string,
): Promise<Deployment | undefined> {
  try {
    return await client.readDeploymentByName(flow, name)
  } catch (error) {
    if (error instanceof ApiError && error.status === 404 && !error.undecodable) {
      return undefined
    }
    throw error
  }
}

function report(out: Output, prepared: Prepared, deployment: Deployment, done: string): void {
  const { work_pool_name: pool, work_queue_name: queue, schedules, paused } = deployment
  const where = pool === null ? '' : ` in ${pool}/${queue ?? 'default'}`
  const when = schedules.filter(({ active }) => active).map((entry) => describe(entry))
  out.progress([
    `${done} ${fullName(prepared)}${where}`,
    ...(when.length === 0 ? [] : [when.join('; ')]),
    ...(paused ? ['(paused)'] : []),
    ...(prepared.body.signature ? ['(signed)'] : []),
  ])
  if (deployment.signature && !prepared.body.signature) {
    out.note(
      '  it carries the signature of an earlier deploy: give --sign-with to have agents take what is new',
    )
  }
}

function tellSchedules(out: Output, done: SchedulePlan | undefined): void {
  for (const schedule of done?.remove ?? []) {
    out.note(`  removed its schedule ${describe(schedule)}, which is not listed any more`)
  }
  for (const schedule of done?.keep ?? []) {
    out.note(`  kept its schedule '${schedule.slug}' (${describe(schedule)}), which is not listed`)
  }
}

function describe({ schedule }: DeploymentSchedule | DeploymentScheduleCreate): string {
  return describeSchedule(schedule)
}

function fullName({ entry, source }: Prepared): string {
  return `${source.flowName}/${entry.name}`
}

async function warnWithoutAgent(client: Client, out: Output, pool: string): Promise<void> {
  const online = await client.filterWorkers(pool, {
    workers: { status: { any_: ['ONLINE'] } },
    limit: 1,
  })
  if (online.length === 0) {
    out.note(
      `No agent serves '${pool}' now: start one with \`headgate agent start --pool ${pool}\`.`,
    )
  }
}

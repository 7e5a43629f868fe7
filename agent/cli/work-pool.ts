import type { Command } from 'commander'
import type { Client } from '../../core/client.ts'
import type { WorkPool, WorkPoolCreate, WorkPoolUpdate } from '../../core/wire/work-pool.ts'
import { EXIT } from '../exit-codes.ts'
import { age, presentTime } from './ages.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { CliError, usageError } from './cli-error.ts'
import { everyPage, foundOr } from './find.ts'
import type { Output } from './output.ts'
import { parseJsonObject, wholeNumber } from './parameters.ts'
import { type PreviewOptions, previewRuns } from './preview.ts'
import { statusCell } from './state-style.ts'

export function addWorkPoolCommands(program: Command): void {
  const group = program
    .command('work-pool')
    .description('work pools: where runs wait for infrastructure of one type')
  group
    .command('create')
    .description('make a work pool')
    .argument('<name>')
    .option('--type <type>', 'the infrastructure that its agents start runs on', 'process')
    .option('--description <text>')
    .option('--paused', 'make it paused')
    .option('--concurrency-limit <n>', 'how many runs at once', wholeNumber(0))
    .option('--base-job-template <json>', 'a JSON object, or @file')
    .action(withApi(createPool))
  group.command('ls').description('list the work pools').action(withApi(listPools))
  group
    .command('inspect')
    .description('show a work pool with its queues and workers')
    .argument('<name>')
    .action(withApi(inspectPool))
  group
    .command('update')
    .description('change a work pool')
    .argument('<name>')
    .option('--description <text>')
    .option('--concurrency-limit <n>', 'how many runs at once', wholeNumber(0))
    .option('--base-job-template <json>', 'a JSON object, or @file')
    .action(withApi(updatePool))
  addSwitches(group)
  group
    .command('delete')
    .description('delete a work pool; its live runs finish')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action(withApi(deletePool))
  group
    .command('preview')
    .description('show the runs that are due in the next hours, in the order of their times')
    .argument('<name>')
    .option('--hours <n>', 'how far ahead to look', wholeNumber(1), 1)
    .option('--limit <n>', 'how many', wholeNumber(1), 20)
    .action(withApi(previewPool))
}

function addSwitches(group: Command): void {
  group
    .command('pause')
    .description('give out no runs until it is resumed')
    .argument('<name>')
    .action(change(() => ({ is_paused: true }), 'Paused'))
  group
    .command('resume')
    .description('give out runs again')
    .argument('<name>')
    .action(change(() => ({ is_paused: false }), 'Resumed'))
  group
    .command('set-concurrency-limit')
    .description('bound how many of its runs are live at once')
    .argument('<name>')
    .argument('<limit>', 'a whole number; 0 gives out none', wholeNumber(0))
    .action(change((limit) => ({ concurrency_limit: limit }), 'Set the concurrency limit of'))
  group
    .command('clear-concurrency-limit')
    .description('bound its runs no longer')
    .argument('<name>')
    .action(change(() => ({ concurrency_limit: null }), 'Cleared the concurrency limit of'))
}

/** Makes the action of a command that changes one thing, perhaps to a value that it is given. */
function change(update: (value: number) => WorkPoolUpdate, said: string) {
  return withApi(
    async ({ client, out }: Session, _options: object, name: string, value: number) => {
      await applyUpdate(client, name, update(value))
      await reportPool(client, out, name, said)
    },
  )
}

interface PoolOptions {
  description?: string
  concurrencyLimit?: number
  baseJobTemplate?: string
}

async function createPool(
  { client, out }: Session,
  options: PoolOptions & { type: string; paused?: boolean },
  name: string,
): Promise<void> {
  const body: WorkPoolCreate = { name, type: options.type, ...changes(options) }
  if (options.paused === true) {
    body.is_paused = true
  }
  const pool = await client.createWorkPool(body)
  const driven = (await import('../infra/registry.ts')).driverTypes()
  out.result(pool, () => {
    out.line(`Created work pool '${pool.name}' of type ${pool.type}.`)
    out.line(
      driven.includes(pool.type)
        ? `Start an agent for it with \`headgate agent start --pool ${pool.name}\`.`
        : `Headgate's agent serves pools of type ${driven.join(', ')} only; Prefect's worker may serve this one.`,
    )
  })
}

async function listPools({ client, out }: Session): Promise<void> {
  const pools = await everyPage((page) => client.filterWorkPools(page))
  out.result(pools, () => {
    if (pools.length === 0) {
      out.note('There are no work pools yet. Make one with `headgate work-pool create default`.')
      return
    }
    out.table(
      [
        { title: 'NAME' },
        { title: 'TYPE' },
        { title: 'STATUS' },
        { title: 'LIVE', right: true },
        { title: 'LIMIT', right: true },
        { title: 'DESCRIPTION', shrinks: true },
      ],
      pools.map((pool) => [
        pool.name,
        pool.type,
        statusCell(pool.status, pool.is_paused),
        String(pool.active_slots ?? '-'),
        String(pool.concurrency_limit ?? '-'),
        pool.description ?? '',
      ]),
    )
  })
}

async function inspectPool(
  { client, out }: Session,
  _options: object,
  name: string,
): Promise<void> {
  const pool = await findPool(client, name)
  if (out.json) {
    out.result(pool, () => undefined)
    return
  }
  const [queues, workers] = await Promise.all([
    client.filterWorkQueues(name),
    client.filterWorkers(name),
  ])
  const at = presentTime()
  out.fields([
    ['Name', pool.name],
    ['Id', pool.id],
    ['Type', pool.type],
    ['Status', statusCell(pool.status, pool.is_paused)],
    ['Description', pool.description ?? '-'],
    ['Live runs', String(pool.active_slots ?? '-')],
    ['Limit', String(pool.concurrency_limit ?? 'none')],
    ['Created', age(pool.created, at)],
  ])
  out.line('')
  out.table(
    [
      { title: 'QUEUE' },
      { title: 'PRIORITY', right: true },
      { title: 'STATUS' },
      { title: 'LIMIT', right: true },
    ],
    queues.map((queue) => [
      queue.name,
      String(queue.priority),
      statusCell(queue.status, queue.is_paused),
      String(queue.concurrency_limit ?? '-'),
    ]),
  )
  out.line('')
  if (workers.length === 0) {
    out.line(`No agent has served it yet: \`headgate agent start --pool ${name}\`.`)
    return
  }
  out.table(
    [{ title: 'WORKER' }, { title: 'STATUS' }, { title: 'LAST SEEN' }],
    workers.map((worker) => [
      worker.name,
      worker.status === 'ONLINE' ? { text: 'online', style: 'green' } : 'offline',
      age(worker.last_heartbeat_time, at),
    ]),
  )
}

async function updatePool(
  { client, out }: Session,
  options: PoolOptions,
  name: string,
): Promise<void> {
  const body = changes(options)
  if (Object.keys(body).length === 0) {
    throw usageError('There is nothing to change.', 'Give at least one option; see --help.')
  }
  await applyUpdate(client, name, body)
  await reportPool(client, out, name, 'Updated')
}

async function deletePool(
  { client, out }: Session,
  options: { yes?: boolean },
  name: string,
): Promise<void> {
  const pool = await findPool(client, name)
  await confirm(`Delete work pool '${name}' with its queues?`, options.yes)
  await client.deleteWorkPool(name)
  out.result(pool, () => {
    out.line(`Deleted work pool '${name}'.`)
  })
}

async function previewPool(
  { client, out }: Session,
  options: PreviewOptions,
  name: string,
): Promise<void> {
  await findPool(client, name)
  await previewRuns({ client, out }, { ...options, pool: name })
}

export function findPool(client: Client, name: string): Promise<WorkPool> {
  return foundOr(client.readWorkPool(name), () => missingPool(name))
}

function missingPool(name: string): CliError {
  return new CliError(
    EXIT.notFound,
    `There is no work pool '${name}'.`,
    `See \`headgate work-pool ls\`, or make it with \`headgate work-pool create ${name}\`.`,
  )
}

function changes(
  options: PoolOptions,
): Pick<WorkPoolCreate, 'description' | 'concurrency_limit' | 'base_job_template'> {
  return {
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.concurrencyLimit === undefined
      ? {}
      : { concurrency_limit: options.concurrencyLimit }),
    ...(options.baseJobTemplate === undefined
      ? {}
      : { base_job_template: parseJsonObject(options.baseJobTemplate, '--base-job-template') }),
  }
}

async function applyUpdate(client: Client, name: string, body: WorkPoolUpdate): Promise<void> {
  await foundOr(client.updateWorkPool(name, body), () => missingPool(name))
}

async function reportPool(client: Client, out: Output, name: string, said: string): Promise<void> {
  const pool = await client.readWorkPool(name)
  out.result(pool, () => {
    out.line(`${said} work pool '${name}'.`)
  })
}

import type { Command } from 'commander'
import type { Client } from '../../core/client.ts'
import type { WorkQueue, WorkQueueCreate, WorkQueueUpdate } from '../../core/wire/work-queue.ts'
import { EXIT } from '../exit-codes.ts'
import { age, presentTime } from './ages.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { CliError, usageError } from './cli-error.ts'
import { everyPage, foundOr } from './find.ts'
import type { Output } from './output.ts'
import { wholeNumber } from './parameters.ts'
import { type PreviewOptions, previewRuns } from './preview.ts'
import { statusCell } from './state-style.ts'
import { findPool } from './work-pool.ts'

interface PoolOption {
  pool: string
}

export function addWorkQueueCommands(program: Command): void {
  const group = program
    .command('work-queue')
    .description('work queues: the lanes of a work pool, by priority')
  command(group, 'create', 'make a queue in a work pool')
    .option('--priority <n>', '1 is served first; default: after all others', wholeNumber(1))
    .option('--concurrency-limit <n>', 'how many runs at once', wholeNumber(0))
    .option('--description <text>')
    .option('--paused', 'make it paused')
    .action(withApi(createQueue))
  group
    .command('ls')
    .description('list the queues of a work pool, or of all')
    .option('-p, --pool <name>', 'the work pool')
    .action(withApi(listQueues))
  command(group, 'inspect', 'show a queue').action(withApi(inspectQueue))
  command(group, 'update', 'change a queue')
    .option('--rename <name>', 'its new name')
    .option('--priority <n>', '1 is served first', wholeNumber(1))
    .option('--concurrency-limit <n>', 'how many runs at once', wholeNumber(0))
    .option('--description <text>')
    .action(withApi(updateQueue))
  addSwitches(group)
  command(group, 'delete', 'delete a queue')
    .option('-y, --yes', 'do not ask')
    .action(withApi(deleteQueue))
  command(group, 'preview', 'show the runs that are due in the next hours')
    .option('--hours <n>', 'how far ahead to look', wholeNumber(1), 1)
    .option('--limit <n>', 'how many', wholeNumber(1), 20)
    .action(withApi(previewQueue))
}

function command(group: Command, verb: string, description: string): Command {
  return group
    .command(verb)
    .description(description)
    .argument('<name>')
    .requiredOption('-p, --pool <name>', 'the work pool')
}

function addSwitches(group: Command): void {
  command(group, 'pause', 'give out no runs until it is resumed').action(
    change(() => ({ is_paused: true }), 'Paused'),
  )
  command(group, 'resume', 'give out runs again').action(
    change(() => ({ is_paused: false }), 'Resumed'),
  )
  command(group, 'set-concurrency-limit', 'bound how many of its runs are live at once')
    .argument('<limit>', 'a whole number; 0 gives out none', wholeNumber(0))
    .action(change((limit) => ({ concurrency_limit: limit }), 'Set the concurrency limit of'))
  command(group, 'clear-concurrency-limit', 'bound its runs no longer').action(
    change(() => ({ concurrency_limit: null }), 'Cleared the concurrency limit of'),
  )
}

/** Makes the action of a command that changes one thing, perhaps to a value that it is given. */
function change(update: (value: number) => WorkQueueUpdate, said: string) {
  return withApi(
    async ({ client, out }: Session, { pool }: PoolOption, name: string, value: number) => {
      await applyUpdate(client, pool, name, update(value))
      await reportQueue(client, out, pool, name, said)
    },
  )
}

interface QueueOptions extends PoolOption {
  priority?: number
  concurrencyLimit?: number
  description?: string
}

async function createQueue(
  { client, out }: Session,
  options: QueueOptions & { paused?: boolean },
  name: string,
): Promise<void> {
  await findPool(client, options.pool)
  const queue = await client.createWorkQueue(options.pool, {
    name,
    ...changes(options),
    ...(options.paused === true ? { is_paused: true } : {}),
  })
  out.result(queue, () => {
    out.line(
      `Created work queue '${name}' in work pool '${options.pool}', priority ${queue.priority}.`,
    )
  })
}

async function listQueues({ client, out }: Session, options: Partial<PoolOption>): Promise<void> {
  const pools =
    options.pool === undefined
      ? await everyPage((page) => client.filterWorkPools(page))
      : [await findPool(client, options.pool)]
  const lists = await Promise.all(
    pools.map((pool) => everyPage((page) => client.filterWorkQueues(pool.name, page))),
  )
  const queues = lists.flat()
  const at = presentTime()
  out.result(queues, () => {
    out.table(
      [
        { title: 'POOL' },
        { title: 'QUEUE' },
        { title: 'PRIORITY', right: true },
        { title: 'STATUS' },
        { title: 'LIVE', right: true },
        { title: 'LIMIT', right: true },
        { title: 'LAST POLLED' },
      ],
      queues.map((queue) => [
        queue.work_pool_name,
        queue.name,
        String(queue.priority),
        statusCell(queue.status, queue.is_paused),
        String(queue.active_slots ?? '-'),
        String(queue.concurrency_limit ?? '-'),
        age(queue.last_polled, at),
      ]),
    )
  })
}

async function inspectQueue(
  { client, out }: Session,
  { pool }: PoolOption,
  name: string,
): Promise<void> {
  const queue = await findQueue(client, pool, name)
  out.result(queue, () => {
    out.fields([
      ['Name', queue.name],
      ['Id', queue.id],
      ['Work pool', queue.work_pool_name],
      ['Priority', String(queue.priority)],
      ['Status', statusCell(queue.status, queue.is_paused)],
      ['Description', queue.description ?? '-'],
      ['Live runs', String(queue.active_slots ?? '-')],
      ['Limit', String(queue.concurrency_limit ?? 'none')],
      ['Last polled', age(queue.last_polled, presentTime())],
    ])
  })
}

async function updateQueue(
  { client, out }: Session,
  options: QueueOptions & { rename?: string },
  name: string,
): Promise<void> {
  const body: WorkQueueUpdate = {
    ...changes(options),
    ...(options.rename === undefined ? {} : { name: options.rename }),
  }
  if (Object.keys(body).length === 0) {
    throw usageError('There is nothing to change.', 'Give at least one option; see --help.')
  }
  await applyUpdate(client, options.pool, name, body)
  await reportQueue(client, out, options.pool, options.rename ?? name, 'Updated')
}

async function deleteQueue(
  { client, out }: Session,
  { pool, yes }: PoolOption & { yes?: boolean },
  name: string,
): Promise<void> {
  const queue = await findQueue(client, pool, name)
  await confirm(`Delete work queue '${name}' of work pool '${pool}'?`, yes)
  await client.deleteWorkQueue(pool, name)
  out.result(queue, () => {
    out.line(`Deleted work queue '${name}' of work pool '${pool}'.`)
  })
}

async function previewQueue(
  session: Session,
  options: PoolOption & PreviewOptions,
  name: string,
): Promise<void> {
  await findQueue(session.client, options.pool, name)
  await previewRuns(session, { ...options, queue: name })
}

async function findQueue(client: Client, pool: string, name: string): Promise<WorkQueue> {
  await findPool(client, pool)
  return await foundOr(client.readWorkQueue(pool, name), () => missingQueue(pool, name))
}

function missingQueue(pool: string, name: string): CliError {
  return new CliError(
    EXIT.notFound,
    `There is no work queue '${name}' in work pool '${pool}'.`,
    `See \`headgate work-queue ls --pool ${pool}\`.`,
  )
}

function changes(
  options: QueueOptions,
): Pick<WorkQueueCreate, 'description' | 'concurrency_limit' | 'priority'> {
  return {
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.concurrencyLimit === undefined
      ? {}
      : { concurrency_limit: options.concurrencyLimit }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
  }
}

async function applyUpdate(
  client: Client,
  pool: string,
  name: string,
  body: WorkQueueUpdate,
): Promise<void> {
  await foundOr(client.updateWorkQueue(pool, name, body), () => missingQueue(pool, name))
}

async function reportQueue(
  client: Client,
  out: Output,
  pool: string,
  name: string,
  said: string,
): Promise<void> {
  const queue = await client.readWorkQueue(pool, name)
  out.result(queue, () => {
    out.line(`${said} work queue '${name}' of work pool '${pool}'.`)
  })
}

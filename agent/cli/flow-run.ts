import type { Command } from 'commander'
import { formatTimestamp, MICROS_PER_SECOND, type Micros, parseTimestamp } from '../../core/time.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import type { FlowRunFilter, FlowRunsQuery } from '../../core/wire/query.ts'
import type { OrchestrationResult } from '../../core/wire/state.ts'
import { EXIT } from '../exit-codes.ts'
import { age, duration, presentTime } from './ages.ts'
import { type Session, withApi } from './command.ts'
import { confirm } from './confirm.ts'
import { consoleUrl } from './console-url.ts'
import { CliError } from './cli-error.ts'
import { everyPage, findFlowRun, flowNames } from './find.ts'
import { stateFilter } from './flow-run-filter.ts'
import { printLogs } from './flow-run-logs.ts'
import { addManyOptions, changeMany, manyFilter, type ManyOptions } from './flow-run-many.ts'
import { isTerminal } from './follow.ts'
import { collect, wholeNumber } from './parameters.ts'
import { stateCell } from './state-style.ts'
import { watchFlowRun } from './watch.ts'

/** A run counts as due although the clocks of here and there differ by this. */
const SOON: Micros = 5 * MICROS_PER_SECOND

const RUN = 'its id, or its name where only one run has it'

export function addFlowRunCommands(program: Command): void {
  const group = program.command('flow-run').description('flow runs: see, follow and steer them')
  group
    .command('ls')
    .description('list flow runs, the latest first')
    .option('--state <state>', 'a state type or name; may be repeated', collect)
    .option('--flow <name>', 'only runs of this flow; may be repeated', collect)
    .option('--pool <name>', 'only runs in this work pool; may be repeated', collect)
    .option('--all', 'also those that are due later')
    .option('--limit <n>', 'how many', wholeNumber(1), 20)
    .action(withApi(listRuns))
  group
    .command('inspect')
    .description('show a flow run')
    .argument('<run>', RUN)
    .action(withApi(inspectRun))
  group
    .command('why')
    .description('tell why a flow run waits, and what would let it go on')
    .argument('<run>', RUN)
    .action(withApi(explainRun))
  group
    .command('logs')
    .description('print the log lines of a flow run')
    .argument('<run>', RUN)
    .option('-f, --follow', 'go on until the run ends')
    .option('-n, --tail <n>', 'only the last lines', wholeNumber(1))
    .action(withApi(printLogs))
  group
    .command('watch')
    .description('follow a flow run until it ends; exits 1 when it did not complete')
    .argument('<run>', RUN)
    .action(withApi(watchRun))
  addManyOptions(
    group
      .command('cancel')
      .description('cancel a flow run, or many that have not ended')
      .argument('[run]', RUN),
  )
    .option('-y, --yes', 'do not ask')
    .action(withApi(cancelRun))
  addManyOptions(
    group
      .command('pause')
      .description('pause many flow runs; those that have not begun wait until they are resumed')
      .argument('[run]', RUN),
  )
    .option('--timeout <seconds>', 'runs that nobody resumes fail after so long', wholeNumber(1))
    .option('-y, --yes', 'do not ask')
    .action(withApi(pauseRuns))
  addManyOptions(
    group
      .command('retry')
      .description('run an ended flow run once more, or many that did not complete')
      .argument('[run]', RUN),
  )
    .option('--watch', 'follow it until it ends')
    .option('-y, --yes', 'do not ask')
    .action(withApi(retryRun))
  addManyOptions(
    group
      .command('delete')
      .description('delete a flow run with its logs, or many')
      .argument('[run]', RUN),
  )
    .option('-y, --yes', 'do not ask')
    .action(withApi(deleteRun))
}

interface ListOptions {
  all?: boolean
  state?: string[]
  flow?: string[]
  pool?: string[]
  limit: number
}

async function listRuns({ client, out }: Session, options: ListOptions): Promise<void> {
  const at = presentTime()
  const query = listQuery(options, at)
  const runs = await everyPage(
    (page) => client.filterFlowRuns({ ...query, sort: 'EXPECTED_START_TIME_DESC', ...page }),
    options.limit,
  )
  if (out.json) {
    out.result(runs, () => undefined)
    return
  }
  if (runs.length === 0) {
    out.note(
      (options.state ?? options.flow ?? options.pool)
        ? 'No flow run matches.'
        : 'There are no flow runs yet. Start one with `headgate deployment run NAME`.',
    )
    return
  }
  const flows = await flowNames(
    client,
    runs.map(({ flow_id }) => flow_id),
  )
  out.table(
    [
      { title: 'ID' },
      { title: 'FLOW' },
      { title: 'NAME', shrinks: true },
      { title: 'STATE' },
      { title: 'START' },
      { title: 'RAN', right: true },
      { title: 'POOL/QUEUE' },
    ],
    runs.map((run) => [
      run.id,
      flows.get(run.flow_id) ?? '?',
      run.name,
      stateCell(run.state_type, run.state_name),
      age(run.start_time ?? run.expected_start_time, at),
      run.total_run_time > 0 ? duration(run.total_run_time) : '-',
      run.work_pool_name === null ? '-' : `${run.work_pool_name}/${run.work_queue_name ?? '-'}`,
    ]),
  )
}

/** Schedules create runs hours ahead: unasked, a list of the latest would show nothing else. */
function listQuery(options: ListOptions, at: Micros): FlowRunsQuery {
  const runs: FlowRunFilter = {
    ...(options.state === undefined ? {} : { state: stateFilter(options.state) }),
    ...(options.state === undefined && options.all !== true
      ? { expected_start_time: { before_: formatTimestamp(at + SOON) } }
      : {}),
  }
  return {
    flow_runs: runs,
    ...(options.flow === undefined ? {} : { flows: { name: { any_: options.flow } } }),
    ...(options.pool === undefined ? {} : { work_pools: { name: { any_: options.pool } } }),
  }
}

async function explainRun({ client, out }: Session, _options: object, name: string): Promise<void> {
  const run = await findFlowRun(client, name)
  const why = await client.explainFlowRun(run.id)
  out.result(why, () => {
    out.fields([
      ['Run', run.name],
      ['Why', why.message],
      ['Goes on when', why.lifted_by ?? '-'],
      ['Place in line', String(why.position ?? '-')],
    ])
  })
}

async function inspectRun({ client, out }: Session, _options: object, name: string): Promise<void> {
  const run = await findFlowRun(client, name)
  if (out.json) {
    out.result(run, () => undefined)
    return
  }
  const flows = await flowNames(client, [run.flow_id])
  const at = presentTime()
  out.fields([
    ['Name', run.name],
    ['Id', run.id],
    ['Console', consoleUrl(client, `/runs/${run.id}`)],
    ['Flow', flows.get(run.flow_id) ?? run.flow_id],
    ['State', stateCell(run.state_type, run.state_name)],
    ['Message', run.state?.message ?? '-'],
    ['Deployment', run.deployment_id ?? '-'],
    [
      'Pool/queue',
      run.work_pool_name === null ? '-' : `${run.work_pool_name}/${run.work_queue_name ?? '-'}`,
    ],
    ['Expected', age(run.expected_start_time, at)],
    ['Started', age(run.start_time, at)],
    ['Ended', age(run.end_time, at)],
    ['Ran', run.total_run_time > 0 ? duration(run.total_run_time) : '-'],
    ['Run count', String(run.run_count)],
    ['Tags', run.tags.join(', ') || '-'],
    ['Parameters', JSON.stringify(run.parameters, undefined, 2)],
  ])
}

async function watchRun({ client, out }: Session, _options: object, name: string): Promise<void> {
  const { id } = await findFlowRun(client, name)
  await watchFlowRun(client, out, { id })
}

async function pauseRuns(
  session: Session,
  options: ManyOptions & { timeout?: number },
  name?: string,
): Promise<void> {
  const { client } = session
  const filter = manyFilter(name, options) ?? {
    flow_runs: { id: { any_: [(await findFlowRun(client, name ?? '')).id] } },
  }
  const timeout = options.timeout === undefined ? {} : { timeout_seconds: options.timeout }
  await changeMany(session, options, filter, {
    verb: 'Pause',
    done: 'Paused',
    send: (body) => client.bulkPauseFlowRuns({ ...body, ...timeout }),
  })
}

async function cancelRun(session: Session, options: ManyOptions, name?: string): Promise<void> {
  const { client, out } = session
  const filter = manyFilter(name, options)
  if (filter !== undefined) {
    await changeMany(session, options, filter, {
      verb: 'Cancel',
      done: 'Cancelled',
      send: client.bulkCancelFlowRuns,
    })
    return
  }
  const run = await findFlowRun(client, name ?? '')
  if (run.state_type === 'CANCELLING') {
    out.result(run, () => {
      out.line(`Flow run '${run.name}' is already being cancelled.`)
    })
    return
  }
  const result = await client.setFlowRunState(run.id, { type: 'CANCELLING' })
  const state = result.state
  // A run that has not begun has nothing to stop: the API refuses Cancelling and sets Cancelled at once.
  if (
    state?.type !== 'CANCELLING' &&
    !(state?.type === 'CANCELLED' && result.status === 'REJECT')
  ) {
    throw refusal(run, 'cancelled', result)
  }
  const after = await client.readFlowRun(run.id)
  out.result(after, () => {
    out.line(
      state.type === 'CANCELLED'
        ? `Flow run '${run.name}' had not begun and is cancelled.`
        : `Flow run '${run.name}' is being cancelled; its agent stops it now.`,
    )
  })
}

async function retryRun(
  session: Session,
  options: ManyOptions & { watch?: boolean },
  name?: string,
): Promise<void> {
  const { client, out } = session
  const filter = manyFilter(name, options)
  if (filter !== undefined) {
    await changeMany(session, options, filter, {
      verb: 'Retry',
      done: 'Retried',
      send: client.bulkRetryFlowRuns,
    })
    return
  }
  const run = await findFlowRun(client, name ?? '')
  if (!isTerminal(run.state_type)) {
    throw new CliError(
      EXIT.refused,
      `Flow run '${run.name}' is ${run.state_name}; only a run that has ended can be retried.`,
      `Cancel it first with \`headgate flow-run cancel ${run.id}\`.`,
    )
  }
  const result = await client.setFlowRunState(run.id, {
    type: 'SCHEDULED',
    name: 'AwaitingRetry',
    message: 'Retried from the command line',
  })
  if (result.status !== 'ACCEPT') {
    throw refusal(run, 'retried', result)
  }
  if (options.watch === true) {
    const since = parseTimestamp(result.state?.timestamp ?? '')
    await watchFlowRun(client, out, { id: run.id, ...(since === undefined ? {} : { since }) })
    return
  }
  const after = await client.readFlowRun(run.id)
  out.result(after, () => {
    out.line(`Flow run '${run.name}' will run again.`)
    out.line(`Follow it with \`headgate flow-run watch ${run.id}\`.`)
  })
}

async function deleteRun(session: Session, options: ManyOptions, name?: string): Promise<void> {
  const { client, out } = session
  const filter = manyFilter(name, options)
  if (filter !== undefined) {
    await changeMany(session, options, filter, {
      verb: 'Delete',
      done: 'Deleted',
      what: ' with their logs',
      send: client.bulkRemoveFlowRuns,
    })
    return
  }
  const run = await findFlowRun(client, name ?? '')
  await confirm(`Delete flow run '${run.name}' (${run.state_name}) with its logs?`, options.yes)
  await client.deleteFlowRun(run.id)
  out.result(run, () => {
    out.line(`Deleted flow run '${run.name}'.`)
  })
}

function refusal(run: FlowRun, done: string, { details }: OrchestrationResult): CliError {
  const reason = 'reason' in details ? details.reason : null
  return new CliError(
    EXIT.refused,
    `Flow run '${run.name}' was not ${done}: ${reason ?? `it is ${run.state_name}`}`,
  )
}

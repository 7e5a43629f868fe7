import type { Client } from '../../core/client.ts'
import { parseTimestamp } from '../../core/time.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import type { Log } from '../../core/wire/log.ts'
import type { Session } from './command.ts'
import { logCells } from './entry-line.ts'
import { everyPage, findFlowRun } from './find.ts'
import { isTerminal } from './follow.ts'
import type { Output } from './output.ts'
import { TaskNames } from './task-names.ts'
import { followWithInterrupt } from './watch.ts'

interface LogOptions {
  follow?: boolean
  tail?: number
}

/** Prints the log lines of a run, all or the last, and with `--follow` those that come. */
export async function printLogs(
  { client, out }: Session,
  options: LogOptions,
  name: string,
): Promise<void> {
  const run = await findFlowRun(client, name)
  const following = options.follow === true
  const logs = following && options.tail === undefined ? [] : await readLogs(client, run, options)
  if (out.json && !following) {
    out.result(logs, () => undefined)
    return
  }
  const tasks = new TaskNames(client)
  if (!out.json) {
    await tasks.learn(logs)
  }
  for (const log of logs) {
    printLog(out, log, tasks.of(log))
  }
  if (following) {
    const printed = new Set(logs.map(({ id }) => id))
    const last = logs.at(-1)
    const since = last === undefined ? undefined : parseTimestamp(last.timestamp)
    await followWithInterrupt(client, out, {
      id: run.id,
      logsOnly: true,
      ...(since === undefined ? {} : { since }),
      print: (entry) => {
        if (entry.kind === 'log' && !printed.has(entry.log.id)) {
          printLog(out, entry.log, entry.task)
        }
      },
    })
  } else if (logs.length === 0) {
    out.note(
      isTerminal(run.state_type)
        ? 'This run wrote no log lines.'
        : `No log lines yet; the run is ${run.state_name}. Add --follow to wait for them.`,
    )
  }
}

async function readLogs(client: Client, run: FlowRun, { tail }: LogOptions): Promise<Log[]> {
  const logs = { flow_run_id: { any_: [run.id] } }
  if (tail === undefined) {
    return await everyPage((page) => client.filterLogs({ logs, sort: 'TIMESTAMP_ASC', ...page }))
  }
  const latest = await everyPage(
    (page) => client.filterLogs({ logs, sort: 'TIMESTAMP_DESC', ...page }),
    tail,
  )
  return latest.toReversed()
}

/** While following, machines get one JSON object a line, since the whole is never there at once. */
function printLog(out: Output, log: Log, task: string | undefined): void {
  if (out.json) {
    out.line(JSON.stringify(log))
  } else {
    out.progress(logCells(log, task))
  }
}

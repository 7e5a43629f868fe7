import type { Client } from '../../core/client.ts'
import type { Micros } from '../../core/time.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { duration } from './ages.ts'
import { entryCells } from './entry-line.ts'
import { CliError, EXIT } from './exit.ts'
import { type Entry, followFlowRun } from './follow.ts'
import type { Output } from './output.ts'

/**
 * Follows a run before the reader's eyes until it ends; Ctrl-C ends the watching, not the run.
 * The exit code says whether the run completed.
 */
export async function watchFlowRun(
  client: Client,
  out: Output,
  watched: { id: string; since?: Micros },
): Promise<void> {
  const run = await followWithInterrupt(client, {
    ...watched,
    print: (entry) => {
      out.progress(entryCells(entry))
    },
  })
  out.result(run, () => {
    out.line(endOf(run))
  })
  if (run.state_type !== 'COMPLETED') {
    process.exitCode = EXIT.failure
  }
}

export interface Watched {
  id: string
  logsOnly?: boolean
  since?: Micros
  print: (entry: Entry) => void
}

export async function followWithInterrupt(
  client: Client,
  { id, ...options }: Watched,
): Promise<FlowRun> {
  const interrupt = new AbortController()
  const onInterrupt = () => {
    interrupt.abort(
      new CliError(
        EXIT.interrupted,
        'Stopped watching; the run goes on.',
        `Watch it again with \`headgate flow-run watch ${id}\`, or end it with \`headgate flow-run cancel ${id}\`.`,
      ),
    )
  }
  process.once('SIGINT', onInterrupt)
  try {
    return await followFlowRun(client, id, { ...options, signal: interrupt.signal })
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}

function endOf(run: FlowRun): string {
  const ran = run.total_run_time > 0 ? ` after ${duration(run.total_run_time)}` : ''
  return `Flow run '${run.name}' ended ${run.state_name ?? ''}${ran}.`
}

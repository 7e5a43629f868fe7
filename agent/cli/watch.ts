import type { Client } from '../../core/client.ts'
import type { Micros } from '../../core/time.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { EXIT } from '../exit-codes.ts'
import { duration } from './ages.ts'
import { entryCells } from './entry-line.ts'
import { CliError } from './cli-error.ts'
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
  const run = await followWithInterrupt(client, out, {
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

/** Follows a run; Ctrl-C ends the following with words of its own, and an API that is away is waited for. */
export async function followWithInterrupt(
  client: Client,
  out: Output,
  { id, print, ...options }: Watched,
): Promise<FlowRun> {
  let away = false
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
    return await followFlowRun(client, id, {
      ...options,
      signal: interrupt.signal,
      print: (entry) => {
        away = false
        print(entry)
      },
      onRetry: () => {
        if (!away) {
          out.note('The API does not answer; trying again. Ctrl-C stops watching, not the run.')
        }
        away = true
      },
    })
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}

function endOf(run: FlowRun): string {
  const ran = run.total_run_time > 0 ? ` after ${duration(run.total_run_time)}` : ''
  return `Flow run '${run.name}' ended ${run.state_name ?? ''}${ran}.`
}

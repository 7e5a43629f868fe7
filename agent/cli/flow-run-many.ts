import type { Command } from 'commander'
import type { FlowRunsChange, FlowRunsChanged, FlowRunsPause } from '../../core/wire/bulk.ts'
import type { Job } from '../../core/wire/job.ts'
import { withRetry } from '../../core/retry.ts'
import { sleep } from '../../core/sleep.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError, usageError } from './cli-error.ts'
import type { Session } from './command.ts'
import { confirm } from './confirm.ts'
import { stateFilter } from './flow-run-filter.ts'
import { collect } from './parameters.ts'

/** Which flow runs are meant, where it is not one that is named. */
export interface ManyOptions {
  state?: string[]
  flow?: string[]
  pool?: string[]
  tag?: string[]
  all?: boolean
  dryRun?: boolean
  yes?: boolean
}

interface Change {
  /** As in "Cancel 3 flow runs?" */
  verb: string
  /** As in "Cancelled 3 flow runs." */
  done: string
  /** What follows the number in the question. */
  what?: string
  send: (body: FlowRunsChange | FlowRunsPause) => Promise<FlowRunsChanged>
}

const POLL_MS = 500

/** Adds the options that choose many flow runs instead of one. */
export function addManyOptions(command: Command): Command {
  return command
    .option('--state <state>', 'all runs in this state (type or name); may be repeated', collect)
    .option('--flow <name>', 'all runs of this flow; may be repeated', collect)
    .option('--pool <name>', 'all runs in this work pool; may be repeated', collect)
    .option('--tag <tag>', 'all runs that have this tag; may be repeated', collect)
    .option('--all', 'all runs of the workspace')
    .option('--dry-run', 'only say how many runs that would be')
}

/**
 * The filter that the options make; undefined when a run is named instead.
 * @throws CliError when neither, or both, say which runs are meant
 */
export function manyFilter(
  name: string | undefined,
  options: ManyOptions,
): FlowRunsChange | undefined {
  const { state, flow, pool, tag, all } = options
  const isMany = [state, flow, pool, tag, all].some((option) => option !== undefined)
  if (name !== undefined && isMany) {
    throw usageError('Name one flow run, or choose many by options, but not both.')
  }
  if (name === undefined && !isMany) {
    throw usageError(
      'Say which flow runs: one by its id or name, or many by --state, --flow, --pool, --tag or --all.',
    )
  }
  return name === undefined
    ? {
        flow_runs: {
          ...(state === undefined ? {} : { state: stateFilter(state) }),
          ...(tag === undefined ? {} : { tags: { all_: tag } }),
        },
        ...(flow === undefined ? {} : { flows: { name: { any_: flow } } }),
        ...(pool === undefined ? {} : { work_pools: { name: { any_: pool } } }),
      }
    : undefined
}

/** Counts, asks, changes, and follows the job until it ends. */
export async function changeMany(
  { client, out }: Session,
  options: ManyOptions,
  filter: FlowRunsChange,
  change: Change,
): Promise<void> {
  const counted = await change.send({ ...filter, dry_run: true })
  const many = runs(counted.chosen)
  if (options.dryRun === true || counted.chosen === 0) {
    out.result(counted, () => {
      out.line(
        counted.chosen === 0
          ? `No flow run that these options choose can be ${change.done.toLowerCase()}.`
          : `${many} would be ${change.done.toLowerCase()}.`,
      )
    })
    return
  }
  const question = `${change.verb} ${many}${change.what ?? ''}?`
  if (options.yes !== true && !process.stdin.isTTY) {
    throw new CliError(
      EXIT.usage,
      `${question} Nobody can be asked here.`,
      'Give --yes to go on without a question, or --dry-run to see the number only.',
    )
  }
  await confirm(question, options.yes, 'Nothing was changed.')
  // The key makes it safe to ask again when an answer was lost.
  const body = { ...filter, idempotency_key: crypto.randomUUID() }
  const { job } = await withRetry(() => change.send(body), { attempts: 3 })
  if (job === null) {
    return
  }
  const ended = await followJob({ client, out }, job)
  out.result(ended, () => {
    out.line(`${change.done} ${runs(ended.done)}.`)
    for (const [reason, count] of Object.entries(ended.reasons)) {
      out.line(`Left ${runs(count)} as before: ${reason}`)
    }
  })
  if (ended.state !== 'COMPLETED') {
    throw new CliError(
      EXIT.failure,
      ended.message ?? 'The job was cancelled before it came to its end.',
    )
  }
}

/** Tells how far a job is, a line for each change, until it ends. */
async function followJob({ client, out }: Session, first: Job): Promise<Job> {
  let job = first
  let told = ''
  while (job.finished === null) {
    const seen = job.done + job.skipped
    const line = `${seen} of ${job.chosen ?? '?'}${job.message === null ? '' : `: ${job.message}`}`
    if (line !== told) {
      out.progress([line])
      told = line
    }
    await sleep(POLL_MS)
    job = await withRetry(() => client.readJob(first.id), { attempts: 10 })
  }
  return job
}

function runs(count: number): string {
  return count === 1 ? '1 flow run' : `${count.toLocaleString('en')} flow runs`
}

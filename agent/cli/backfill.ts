import type { Command } from 'commander'
import type { Client } from '../../core/client.ts'
import { sleep } from '../../core/sleep.ts'
import { parseTimestamp } from '../../core/time.ts'
import type { Job } from '../../core/wire/job.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError, usageError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { findDeployment } from './find.ts'
import { collect, parseAssignments } from './parameters.ts'
import { findSchedule } from './schedule.ts'

interface BackfillOptions {
  start: string
  end: string
  schedule?: string
  param?: string[]
  tag?: string[]
  queue?: string
  limit?: string
  dryRun?: boolean
  watch?: boolean
}

const LOOK_MS = 1000

export function addBackfillCommand(deployments: Command): void {
  deployments
    .command('backfill')
    .description('make the runs of past dates of its schedules: those that have none')
    .argument('<deployment>', 'flow/deployment, or its id')
    .requiredOption('--start <time>', 'the first date, such as 2026-01-31T00:00:00Z')
    .requiredOption('--end <time>', 'the last date')
    .option(
      '--schedule <schedule>',
      'only this schedule: its slug or id (default: all active ones)',
    )
    .option('-p, --param <key=value>', 'a parameter of these runs; JSON where it is JSON', collect)
    .option('--tag <tag>', 'beside `backfill`; may be repeated', collect)
    .option('--queue <name>', 'a work queue of their own, so that they do not come before others')
    .option('--limit <count>', 'refuse to make more')
    .option('--dry-run', 'only count the dates')
    .option('--watch', 'wait until all are made')
    .action(withApi(backfill))
}

async function backfill(
  { client, out }: Session,
  options: BackfillOptions,
  name: string,
): Promise<void> {
  const { deployment, fullName } = await findDeployment(client, name)
  const parameters = parseAssignments(options.param ?? [], '--param')
  const schedule =
    options.schedule === undefined ? undefined : await findSchedule(client, name, options.schedule)
  const made = await client.backfillDeployment(deployment.id, {
    start: time('--start', options.start),
    end: time('--end', options.end),
    ...(schedule === undefined ? {} : { schedule_id: schedule.schedule.id }),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(options.tag === undefined ? {} : { tags: options.tag }),
    ...(options.queue === undefined ? {} : { work_queue_name: options.queue }),
    ...(options.limit === undefined ? {} : { limit: Number(options.limit) }),
    ...(options.dryRun === true ? { dry_run: true } : {}),
  })
  const job = made.job !== null && options.watch === true ? await ended(client, made.job) : made.job
  out.result({ ...made, job }, () => {
    const span = made.first === null ? '' : `, ${made.first} to ${made.last ?? ''}`
    out.line(`'${fullName}' has ${made.dates} dates${span}.`)
    if (job !== null) {
      const state = job.finished === null ? `goes on as job ${job.id}` : 'all done'
      out.line(`Made ${job.done} runs, ${job.skipped} were there: ${state}.`)
    }
  })
  if (job?.state === 'FAILED' || job?.state === 'CANCELLED') {
    throw new CliError(EXIT.failure, `Job ${job.id}: ${job.message ?? job.state.toLowerCase()}.`)
  }
}

async function ended(client: Client, job: Job): Promise<Job> {
  let latest = job
  while (latest.finished === null) {
    await sleep(LOOK_MS)
    latest = await client.readJob(latest.id)
  }
  return latest
}

function time(option: string, text: string): string {
  if (parseTimestamp(text) === undefined) {
    throw usageError(`${option} '${text}' is not a time, such as 2026-01-31T09:00:00Z.`)
  }
  return text
}

import { mergeParameters } from '#core/parameters.ts'
import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import type { Backfill, BackfillCreate } from '#core/wire/backfill.ts'
import {
  backfillSchedules,
  countBackfill,
  MAX_BACKFILL_DATES,
  type BackfillOrder,
} from '#domain/backfill.ts'
import { DomainError } from '#domain/errors.ts'
import { findDeployment, readHomeDeployment } from '#storage/deployments.ts'
import type { Workspace } from '#storage/workspace.ts'
import { homeContext } from './configure-home.ts'
import { judgeRequest, queueOf } from './create-flow-run.ts'
import type { JobKind } from './job-kind.ts'
import { askedBy, objectContext } from './object-context.ts'
import { homeStub, jobsStub } from './stubs.ts'

/** The runs that a home makes in one step: as many rows as one of its flushes takes well. */
const STEP_DATES = 500

/** Makes the runs of a span of dates: the first of them before this answers, the rest as a job. */
export async function backfillDeployment(
  workspace: Workspace,
  deploymentId: string,
  body: BackfillCreate,
  now: Micros,
): Promise<Backfill> {
  const config = await readHomeDeployment(workspace, deploymentId)
  if (config === undefined) {
    throw new DomainError('not_found', 'Deployment not found')
  }
  const [start, end] = [parseTimestamp(body.start) ?? 0, parseTimestamp(body.end) ?? 0]
  if (end < start) {
    throw new DomainError('invalid', 'end is before start', { field: ['end'] })
  }
  const scheduleId = body.schedule_id ?? null
  const schedules = backfillSchedules(config.deployment.schedules, scheduleId)
  if (scheduleId !== null && schedules.length === 0) {
    throw new DomainError('not_found', 'Schedule not found.')
  }
  const { count, first, last } = countBackfill(schedules, start, end)
  const most = Math.min(body.limit ?? MAX_BACKFILL_DATES, MAX_BACKFILL_DATES)
  if (count > most) {
    const found = count > MAX_BACKFILL_DATES ? `more than ${MAX_BACKFILL_DATES}` : String(count)
    throw new DomainError(
      'invalid',
      `There are ${found} dates; at most ${most} are made at once.`,
      {
        field: ['end'],
      },
    )
  }
  const parameters = body.parameters ?? {}
  for (const schedule of schedules) {
    const given = mergeParameters(schedule.parameters, parameters)
    // One after the other: hardly any deployment has more than a few.
    // oxlint-disable-next-line no-await-in-loop
    await judgeRequest(workspace, config, null, { parameters: given })
  }
  const answer = {
    dates: count,
    first: first === null ? null : formatTimestamp(first),
    last: last === null ? null : formatTimestamp(last),
  }
  if (body.dry_run === true || count === 0) {
    return { ...answer, job: null }
  }
  const queue = body.work_queue_name ?? null
  const order: BackfillOrder = {
    deployment_id: deploymentId,
    schedule_id: scheduleId,
    end,
    parameters,
    tags: body.tags ?? [],
    work_queue_id: queue === null ? null : await queueOf(workspace, config, queue, now),
  }
  const job = await jobsStub(workspace).start(
    objectContext(workspace),
    {
      kind: 'backfill',
      parameters: { ...order, start },
      key: null,
      chosen: count,
    },
    1,
    askedBy(workspace),
  )
  return { ...answer, job }
}

export const backfillJob: JobKind<BackfillOrder & { start: Micros }, { from: Micros }> = {
  step: async (workspace, { parameters: { start, ...order }, left, now }) => {
    const found = await findDeployment(workspace, order.deployment_id, now)
    if (found === undefined) {
      throw new DomainError('not_found', 'The deployment was deleted.')
    }
    const { home_key } = found
    const from = left?.from ?? start
    const made = await homeStub(workspace, home_key).backfill(
      homeContext(workspace, home_key),
      order,
      from,
      STEP_DATES,
    )
    if (made === null) {
      throw new DomainError('unavailable', 'The deployment is being moved to another pool.')
    }
    return {
      left: made.next === null ? null : { from: made.next },
      done: made.created,
      skipped: made.existing > 0 ? { 'the date has its run': made.existing } : {},
    }
  },
}

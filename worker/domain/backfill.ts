import { nextDates } from '#core/schedule.ts'
import type { Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { DeploymentSchedule } from '#core/wire/schedule.ts'
import type { FlowRunRecord } from './flow-run.ts'
import type { ScheduledDate } from './scheduling.ts'

/** What is asked of the runs of past dates. */
export interface BackfillOrder {
  deployment_id: string
  /** Null: the active ones. */
  schedule_id: string | null
  end: Micros
  parameters: JsonObject
  tags: string[]
  /** Null: the deployment's. */
  work_queue_id: string | null
}

const TAG = 'backfill'
/** By which a home knows such a run: a change of its deployment, or a pause, leaves it. */
const LABEL = 'headgate.backfill'
/** More dates than these are refused: more runs than anybody waits for. */
export const MAX_BACKFILL_DATES = 100_000

/** The schedules that are meant. */
export function backfillSchedules(
  schedules: readonly DeploymentSchedule[],
  scheduleId: string | null,
): DeploymentSchedule[] {
  return schedules.filter(({ id, active }) => (scheduleId === null ? active : id === scheduleId))
}

/**
 * The next dates from a time on, in order, about `limit` of them: those of the last time are not torn apart.
 * @returns from when the others are; null when there are none
 */
export function backfillDates(
  schedules: readonly DeploymentSchedule[],
  from: Micros,
  end: Micros,
  limit: number,
): { dates: ScheduledDate[]; next: Micros | null } {
  const all = schedules
    .flatMap((schedule) =>
      nextDates(schedule.schedule, { after: from, until: end, limit: limit + 1 }).map((date) => ({
        schedule,
        date,
      })),
    )
    .toSorted((a, b) => a.date - b.date)
  const last = all[limit - 1]
  if (last === undefined || all.length === limit) {
    return { dates: all, next: null }
  }
  return { dates: all.filter(({ date }) => date <= last.date), next: last.date + 1 }
}

/** How many dates there are, the first and the last of them; counts one more than is allowed and no further. */
export function countBackfill(
  schedules: readonly DeploymentSchedule[],
  start: Micros,
  end: Micros,
): { count: number; first: Micros | null; last: Micros | null } {
  let counted: { count: number; first: Micros | null; last: Micros | null } = {
    count: 0,
    first: null,
    last: null,
  }
  for (let from: Micros | null = start; from !== null && counted.count <= MAX_BACKFILL_DATES;) {
    const { dates, next } = backfillDates(schedules, from, end, 900)
    counted = {
      count: counted.count + dates.length,
      first: counted.first ?? dates[0]?.date ?? null,
      last: dates.at(-1)?.date ?? counted.last,
    }
    from = next
  }
  return counted
}

/** The run of a date as the order wants it. */
export function orderedRecord(record: FlowRunRecord, order: BackfillOrder): FlowRunRecord {
  return {
    ...record,
    parameters: { ...record.parameters, ...order.parameters },
    tags: [...new Set([...record.tags, TAG, ...order.tags])],
    labels: { ...record.labels, [LABEL]: true },
    work_queue_id: order.work_queue_id ?? record.work_queue_id,
    // Its time is long over.
    start_before: null,
  }
}

export function isBackfill(record: FlowRunRecord): boolean {
  return record.labels?.[LABEL] === true
}

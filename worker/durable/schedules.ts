import { flowRunId, type HomeKey } from '#core/flow-run-id.ts'
import { generateName } from '#core/name.ts'
import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import { isBackfill } from '#domain/backfill.ts'
import type { StateCreate } from '#core/wire/state.ts'
import type { HomeRun } from '#domain/execution.ts'
import { automaticKey, startBefore } from '#domain/concurrency-key.ts'
import { newFlowRunRecord, type FlowRunRecord } from '#domain/flow-run.ts'
import { missedRule } from '#domain/missed-runs.ts'
import { planSchedules, type ScheduledDate } from '#domain/scheduling.ts'
import type { HomeDeployment } from '#storage/deployments.ts'
import type { NewFlowRun } from './home.ts'
import type { UsedDate } from './move-store.ts'

/**
 * The runs that a change of their deployment takes away: never started, and made by a schedule.
 * @param which.onlyFuture leaves runs that are due already; `alsoManual` takes those that a person made as well
 */
export function removeAutomaticRuns(
  scheduled: HomeRun[],
  which: { onlyFuture: boolean; alsoManual: boolean },
  now: Micros,
): HomeRun[] {
  return scheduled.filter(({ record, live }) => {
    const due = parseTimestamp(record.next_scheduled_start_time ?? '') ?? now
    return (
      !live &&
      !record.deleted &&
      record.run_count === 0 &&
      record.state_name !== 'AwaitingConcurrencySlot' &&
      ((record.auto_scheduled && !isBackfill(record)) || which.alsoManual) &&
      (due > now || !which.onlyFuture)
    )
  })
}

/**
 * Whether a run stands for a date that is still to come: were it gone, its schedule would make another one. A run can be
 * taken before it is due, by Prefect's worker, or be cancelled.
 */
export function holdsDate(record: FlowRunRecord, now: Micros): boolean {
  const date = parseTimestamp(record.expected_start_time ?? '')
  return record.auto_scheduled && !record.deleted && date !== undefined && date > now
}

/**
 * The automatic runs that a deployment's schedules ask for now, and when to ask again.
 * @param automatic those that have been made, whatever has become of them
 */
export function expandSchedules(
  config: HomeDeployment,
  automatic: HomeRun[],
  home: {
    now: Micros
    homeKey: HomeKey
    seen: Readonly<Record<string, Micros>>
    used: readonly UsedDate[]
  },
): { runs: NewFlowRun[]; nextAt: Micros | null; seen: Record<string, Micros> } {
  const taken = takenDates(automatic)
  for (const { schedule_id, date } of home.used) {
    taken.set(schedule_id, (taken.get(schedule_id) ?? new Set()).add(date))
  }
  const { dates, nextAt, seen } = planSchedules(
    config.deployment.schedules,
    taken,
    home.now,
    home.seen,
  )
  return { runs: dates.map((date) => automaticRun(config, date, home)), nextAt, seen }
}

/** The dates, by their schedules' ids, that have their run. */
export function takenDates(automatic: HomeRun[]): Map<string, Set<Micros>> {
  const taken = new Map<string, Set<Micros>>()
  for (const { record } of automatic) {
    const date = parseTimestamp(record.expected_start_time ?? '')
    if (record.auto_scheduled && !record.deleted && record.created_by?.id && date !== undefined) {
      const dates = taken.get(record.created_by.id) ?? new Set()
      taken.set(record.created_by.id, dates.add(date))
    }
  }
  return taken
}

export function automaticRun(
  config: HomeDeployment,
  { schedule, date }: ScheduledDate,
  home: { now: Micros; homeKey: HomeKey },
): NewFlowRun {
  const { deployment } = config
  const id = flowRunId(
    home.homeKey,
    Math.floor(home.now / 1000),
    crypto.getRandomValues(new Uint8Array(10)),
  )
  const record: FlowRunRecord = {
    ...newFlowRunRecord(id, home.now),
    name: generateName([Math.random(), Math.random()]),
    flow_id: deployment.flow_id,
    deployment_id: deployment.id,
    deployment_version: deployment.version,
    work_pool_id: config.work_pool_id,
    work_queue_id: deployment.work_queue_id,
    parameters: { ...deployment.parameters, ...schedule.parameters },
    idempotency_key: `scheduled ${deployment.id} ${schedule.id} ${formatTimestamp(date)}`,
    tags: [...new Set(['auto-scheduled', ...deployment.tags])],
    labels: { ...deployment.labels, 'prefect.deployment.id': deployment.id },
    auto_scheduled: true,
    created_by: { id: schedule.id, type: 'SCHEDULE', display_value: schedule.slug },
  }
  const state: StateCreate = {
    type: 'SCHEDULED',
    message: 'Flow run scheduled',
    state_details: { scheduled_time: formatTimestamp(date) },
  }
  const { key, message } = automaticKey(config, record)
  const missed = missedRule(schedule.missed_runs ?? null, date)
  return {
    record: {
      ...record,
      concurrency_key: key,
      start_before: startBefore(config, { state }, home.now),
    },
    ...(missed === undefined ? {} : { missed }),
    flow_name: config.flow.name,
    deployment_name: deployment.name,
    state: message === null ? state : { ...state, message: `Flow run scheduled; ${message}` },
  }
}

import { formatTimestamp, type Micros } from '#core/time.ts'
import {
  backfillDates,
  backfillSchedules,
  orderedRecord,
  type BackfillOrder,
} from '#domain/backfill.ts'
import { datesWithin, type DateWindow, type ScheduledDate } from '#domain/scheduling.ts'
import type { HomeDeployment } from '#storage/deployments.ts'
import { listAutomaticDates } from '#storage/flow-runs.ts'
import { create } from './home-runs.ts'
import type { Home, NewFlowRun } from './home.ts'
import { automaticRun, takenDates } from './schedules.ts'

/** At least as many as are made at once. */
const MANY_DATES = 1000

export interface BackfillStep {
  created: number
  /** Dates that had their run. */
  existing: number
  /** From when the other dates are; null when there are none. */
  next: Micros | null
}

/** Makes the automatic runs of a deployment within a window, as far as they have never been made. */
export async function scheduleWithin(
  home: Home,
  deploymentId: string,
  window: DateWindow,
): Promise<void> {
  const choose = ({ deployment }: HomeDeployment): ScheduledDate[] =>
    datesWithin(deployment.schedules, window)
  await makeMissing(home, deploymentId, window, choose, (run) => run)
}

/** A step of a backfill; null: the deployment does not live here. Idempotent: a date that has a run gets no other one. */
export async function backfill(
  home: Home,
  order: BackfillOrder,
  from: Micros,
  limit: number,
): Promise<BackfillStep | null> {
  const config = home.store.deployment(order.deployment_id)
  if (config === undefined) {
    return null
  }
  const plan = ({ deployment }: HomeDeployment) =>
    backfillDates(
      backfillSchedules(deployment.schedules, order.schedule_id),
      from,
      order.end,
      limit,
    )
  const { dates, next } = plan(config)
  const window = { start: from, end: dates.at(-1)?.date ?? from }
  const made = await makeMissing(
    home,
    order.deployment_id,
    window,
    (latest) => plan(latest).dates.filter(({ date }) => date <= window.end),
    // Asked for by somebody: no date of it is missed.
    ({ missed: _missed, ...run }) => ({ ...run, record: orderedRecord(run.record, order) }),
  )
  return made === null ? null : { ...made, next }
}

/** Makes those of the chosen dates that have no run, as `change` has them. */
async function makeMissing(
  home: Home,
  deploymentId: string,
  window: { start: Micros; end: Micros },
  choose: (config: HomeDeployment) => ScheduledDate[],
  change: (run: NewFlowRun) => NewFlowRun,
): Promise<{ created: number; existing: number } | null> {
  const { teller } = home.usage
  await teller.ask('flow_runs', MANY_DATES)
  // Looked at first: what leaves for the store from now on is still remembered.
  const before = takenDates(home.store.automaticOfDeployment(deploymentId))
  const stored = await listAutomaticDates(home.workspace(), deploymentId, {
    from: formatTimestamp(window.start),
    to: formatTimestamp(window.end),
  })
  const now = takenDates(home.store.automaticOfDeployment(deploymentId))
  const left = new Set(
    stored.map(({ schedule_id, expected_start_time }) => `${schedule_id} ${expected_start_time}`),
  )
  const config = home.store.deployment(deploymentId)
  if (config === undefined) {
    return null
  }
  const isTaken = ({ schedule, date }: ScheduledDate): boolean =>
    before.get(schedule.id)?.has(date) === true ||
    now.get(schedule.id)?.has(date) === true ||
    left.has(`${schedule.id} ${formatTimestamp(date)}`)
  const moment = { now: home.now(), homeKey: home.known().home_key }
  const chosen = choose(config)
  const missing = chosen.filter((planned) => !isTaken(planned))
  teller.require('flow_runs', missing.length)
  for (const planned of missing) {
    create(home, change(automaticRun(config, planned, moment)))
  }
  home.afterChange()
  await home.flusher.flushed()
  return { created: missing.length, existing: chosen.length - missing.length }
}

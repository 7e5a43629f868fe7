import { nextDates } from '#core/schedule.ts'
import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { DeploymentSchedule } from '#core/wire/schedule.ts'

// How far ahead schedules are expanded, as in Prefect (contract 5).
const MIN_RUNS = 3
const MAX_RUNS = 100
const HOUR: Micros = 3600 * MICROS_PER_SECOND
const HORIZON: Micros = 100 * 24 * HOUR
/** Expanding is not repeated sooner than this, or a schedule of seconds would keep its home busy. */
const MIN_PAUSE: Micros = 60 * MICROS_PER_SECOND

export interface ScheduledDate {
  schedule: DeploymentSchedule
  date: Micros
}

export interface SchedulePlan {
  /** The dates that need a run and have none. */
  dates: ScheduledDate[]
  /** When to plan again; null: never. */
  nextAt: Micros | null
}

/**
 * Plans the automatic runs of one deployment: for each active schedule the dates from now on, at least three of them and
 * at least an hour's worth, at most a hundred.
 * @param taken for each schedule's id the dates that have their run already
 */
export function planSchedules(
  schedules: readonly DeploymentSchedule[],
  taken: ReadonlyMap<string, ReadonlySet<Micros>>,
  now: Micros,
): SchedulePlan {
  const plans = schedules
    .filter(({ active }) => active)
    .map((schedule) => planSchedule(schedule, taken.get(schedule.id) ?? new Set(), now))
  const times = plans.map(({ nextAt }) => nextAt).filter((time) => time !== null)
  return {
    dates: plans.flatMap(({ dates }) => dates),
    nextAt: times.length === 0 ? null : Math.min(...times),
  }
}

/** Which dates of a schedule get a run. */
export interface DateWindow {
  start: Micros
  end: Micros
  /** No further than to the first date so long after the start, and to so many dates. */
  minMicros: Micros
  minRuns: number
  maxRuns: number
}

/** What Prefect's scheduler takes where a request for runs says nothing. */
export function dateWindow(
  given: {
    start?: Micros | undefined
    end?: Micros | undefined
    min_time?: number | null | undefined
    min_runs?: number | null | undefined
    max_runs?: number | null | undefined
  },
  now: Micros,
): DateWindow {
  const start = given.start ?? now
  return {
    start,
    end: given.end ?? start + HORIZON,
    minMicros: Math.round((given.min_time ?? HOUR / MICROS_PER_SECOND) * MICROS_PER_SECOND),
    minRuns: given.min_runs ?? MIN_RUNS,
    maxRuns: given.max_runs ?? MAX_RUNS,
  }
}

/** The dates of all active schedules within a window, which may lie in the past. */
export function datesWithin(
  schedules: readonly DeploymentSchedule[],
  window: DateWindow,
): ScheduledDate[] {
  return schedules
    .filter(({ active }) => active)
    .flatMap((schedule) => firstDates(schedule, window).map((date) => ({ schedule, date })))
}

function firstDates(schedule: DeploymentSchedule, window: DateWindow): Micros[] {
  const { start, end, minMicros, minRuns, maxRuns } = window
  const all = nextDates(schedule.schedule, { after: start, limit: maxRuns, until: end })
  const enough = all.findIndex((date, index) => index + 1 >= minRuns && date >= start + minMicros)
  return enough === -1 ? all : all.slice(0, enough + 1)
}

function planSchedule(
  schedule: DeploymentSchedule,
  taken: ReadonlySet<Micros>,
  now: Micros,
): SchedulePlan {
  const limit = Math.min(schedule.max_scheduled_runs ?? MAX_RUNS, MAX_RUNS)
  const planned = firstDates(schedule, {
    start: now,
    end: now + HORIZON,
    minMicros: HOUR,
    minRuns: MIN_RUNS,
    maxRuns: limit,
  })
  const last = planned.at(-1)
  if (last === undefined) {
    // A yearly one has no date within the horizon for most of the year.
    const [first] = nextDates(schedule.schedule, { after: now + HORIZON, limit: 1 })
    return { dates: [], nextAt: first === undefined ? null : first - HORIZON + MIN_PAUSE }
  }
  // Again when fewer than three are ahead, or less than an hour is; and never later than the last one. Where there are no
  // three to be had, as soon as one is over.
  const thirdLast = planned.at(-MIN_RUNS)
  const refill = thirdLast === undefined ? (planned[0] ?? last) : Math.min(thirdLast, last - HOUR)
  const wanted = Math.max(refill, now + MIN_PAUSE)
  return {
    dates: planned.filter((date) => !taken.has(date)).map((date) => ({ schedule, date })),
    nextAt: Math.min(wanted, Math.max(last, now + MICROS_PER_SECOND)),
  }
}

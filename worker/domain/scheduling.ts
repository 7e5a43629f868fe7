import { nextDates } from '#core/schedule.ts'
import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { DeploymentSchedule } from '#core/wire/schedule.ts'
import { unseenDates } from './missed-runs.ts'

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
  /** Up to when the dates of each schedule, by its id, have been seen to. */
  seen: Record<string, Micros>
}

/**
 * Plans the automatic runs of one deployment: for each active schedule the dates from now on, at least three of them and
 * at least an hour's worth, at most a hundred; and the past ones that nobody has seen to, where the schedule asks for them.
 * @param taken for each schedule's id the dates that have their run already
 * @param seen of the plan before; a schedule that is not in it has no past
 */
export function planSchedules(
  schedules: readonly DeploymentSchedule[],
  taken: ReadonlyMap<string, ReadonlySet<Micros>>,
  now: Micros,
  seen: Readonly<Record<string, Micros>> = {},
): SchedulePlan {
  const plans = schedules
    .filter(({ active }) => active)
    .map((schedule) => planSchedule(schedule, taken.get(schedule.id) ?? new Set(), now, seen))
  const times = plans.map(({ nextAt }) => nextAt).filter((time) => time !== null)
  return {
    dates: plans.flatMap(({ dates }) => dates),
    nextAt: times.length === 0 ? null : Math.min(...times),
    seen: Object.assign({}, ...plans.map((plan) => plan.seen)) as SchedulePlan['seen'],
  }
}

/**
 * What of `seen` still holds when a deployment changes: its future runs are made anew, and a schedule that was paused, or now
 * has other dates, has no past.
 */
export function seenAfterChange(
  seen: Readonly<Record<string, Micros>>,
  before: readonly DeploymentSchedule[],
  after: readonly DeploymentSchedule[],
  now: Micros,
): Record<string, Micros> {
  const kept: Record<string, Micros> = {}
  for (const { id, schedule, active } of after) {
    const known = seen[id]
    const same = before.find((other) => other.id === id && other.active)
    if (
      active &&
      known !== undefined &&
      JSON.stringify(same?.schedule) === JSON.stringify(schedule)
    ) {
      kept[id] = Math.min(known, now)
    }
  }
  return kept
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
  seen: Readonly<Record<string, Micros>>,
): SchedulePlan {
  const since = seen[schedule.id]
  const past = since === undefined ? [] : unseenDates(schedule, since, now)
  const toRun = (dates: Micros[]): ScheduledDate[] =>
    dates
      // That of this very moment may have been made and gone.
      .filter((date) => !taken.has(date) && (date > now || date > (since ?? -Infinity)))
      .map((date) => ({ schedule, date }))
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
    return {
      dates: toRun(past),
      nextAt: first === undefined ? null : first - HORIZON + MIN_PAUSE,
      seen: { [schedule.id]: now },
    }
  }
  // Again when fewer than three are ahead, or less than an hour is; and never later than the last one. Where there are no
  // three to be had, as soon as one is over.
  const thirdLast = planned.at(-MIN_RUNS)
  const refill = thirdLast === undefined ? (planned[0] ?? last) : Math.min(thirdLast, last - HOUR)
  const wanted = Math.max(refill, now + MIN_PAUSE)
  return {
    dates: toRun([...past, ...planned]),
    nextAt: Math.min(wanted, Math.max(last, now + MICROS_PER_SECOND)),
    seen: { [schedule.id]: last },
  }
}

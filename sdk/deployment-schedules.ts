import type { JsonObject } from '../core/wire/common.ts'
import type {
  DeploymentSchedule,
  DeploymentScheduleCreate,
  Schedule,
} from '../core/wire/schedule.ts'

/** When a deployment runs: one of `cron`, `intervalSeconds` and `rrule`. */
export type ScheduleOptions = (
  | {
      /** Five fields, `0 9 * * 1-5` say. */
      cron: string
      /** Whether day of month *or* day of week suffices, as in cron. Default true. */
      dayOr?: boolean
    }
  | {
      intervalSeconds: number
      /** An ISO time that the intervals are counted from. */
      anchorDate?: string
    }
  | {
      /** RFC 5545. */
      rrule: string
    }
) & {
  /** An IANA name, `Europe/Berlin` say. Default UTC. */
  timezone?: string
  /** Default: as it was before, else true. */
  active?: boolean
  /** Parameters of the runs of this schedule, over the deployment's. */
  parameters?: JsonObject
  /** Names the schedule within its deployment. */
  slug?: string
}

/** A schedule as the API takes it. */
export function toScheduleCreate(options: ScheduleOptions): DeploymentScheduleCreate {
  const { active, parameters, slug } = options
  return {
    schedule: toSchedule(options),
    ...(active === undefined ? {} : { active }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(slug === undefined ? {} : { slug }),
  }
}

function toSchedule(options: ScheduleOptions): Schedule {
  const zone = options.timezone === undefined ? {} : { timezone: options.timezone }
  if ('cron' in options) {
    return {
      cron: options.cron,
      ...zone,
      ...(options.dayOr === undefined ? {} : { day_or: options.dayOr }),
    }
  }
  if ('intervalSeconds' in options) {
    return {
      interval: options.intervalSeconds,
      ...zone,
      ...(options.anchorDate === undefined ? {} : { anchor_date: options.anchorDate }),
    }
  }
  return { rrule: options.rrule, ...zone }
}

/**
 * The schedules to send with a new deploy: one that was there before keeps what was set by hand, whether it is paused and the
 * anchor of its intervals, unless the code says otherwise.
 */
export function mergeSchedules(
  wanted: DeploymentScheduleCreate[],
  existing: DeploymentSchedule[],
): DeploymentScheduleCreate[] {
  const left = [...existing]
  return wanted.map((schedule) => {
    const at = left.findIndex((old) => isSame(schedule, old))
    const [old] = at < 0 ? [] : left.splice(at, 1)
    if (old === undefined) {
      return schedule
    }
    return {
      active: old.active,
      ...schedule,
      schedule: keepAnchor(schedule.schedule, old.schedule),
    }
  })
}

function isSame(wanted: DeploymentScheduleCreate, old: DeploymentSchedule): boolean {
  if (typeof wanted.slug === 'string' || old.slug !== null) {
    return wanted.slug === old.slug
  }
  return ruleOf(wanted.schedule) === ruleOf(old.schedule)
}

function ruleOf(schedule: Schedule): string {
  const zone = schedule.timezone ?? 'UTC'
  if ('cron' in schedule) {
    return `cron ${schedule.cron} ${zone}`
  }
  return 'interval' in schedule
    ? `interval ${schedule.interval} ${zone}`
    : `rrule ${schedule.rrule} ${zone}`
}

function keepAnchor(wanted: Schedule, old: Schedule): Schedule {
  const keeps =
    'interval' in wanted &&
    'interval' in old &&
    wanted.anchor_date === undefined &&
    old.anchor_date !== undefined
  return keeps ? { ...wanted, anchor_date: old.anchor_date } : wanted
}

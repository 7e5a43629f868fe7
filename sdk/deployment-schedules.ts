import type { Client } from '../core/client.ts'
import { withRetry } from '../core/retry.ts'
import { planSchedules, type SchedulePlan } from '../core/schedule-changes.ts'
import type { JsonObject } from '../core/wire/common.ts'
import type { DeploymentScheduleCreate, Schedule } from '../core/wire/schedule.ts'

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
  /** Names the schedule within its deployment. A named one stays when the code does not list it any more. */
  slug?: string
  /**
   * What becomes of dates whose run could not start in time, because nobody served the pool or all was paused: `all` wait, of
   * several only the `last` stays, or those that have waited for the window (a minute) are skipped. Default: `all` wait.
   */
  missedRuns?: { policy: 'skip' | 'last' | 'all'; windowSeconds?: number }
}

/** A schedule as the API takes it. */
export function toScheduleCreate(options: ScheduleOptions): DeploymentScheduleCreate {
  const { active, missedRuns, parameters, slug } = options
  return {
    schedule: toSchedule(options),
    ...(active === undefined ? {} : { active }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(slug === undefined ? {} : { slug }),
    ...(missedRuns === undefined
      ? {}
      : {
          missed_runs: {
            policy: missedRuns.policy,
            window_seconds: missedRuns.windowSeconds ?? null,
          },
        }),
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
 * Brings the schedules of a deployment to those wanted, by the routes of single schedules: sent with the deployment they would
 * all have to have slugs, or would all be made anew. Tried again, it goes on from what is there by then.
 * @returns what was done
 * @throws ApiError
 */
export async function applySchedules(
  client: Client,
  deploymentId: string,
  wanted: readonly DeploymentScheduleCreate[],
): Promise<SchedulePlan> {
  const done: SchedulePlan = { create: [], update: [], remove: [], keep: [] }
  await withRetry(async () => {
    const plan = planSchedules(await client.readSchedules(deploymentId), wanted)
    done.keep = plan.keep
    // First what goes, then what changes, then what comes: a slug that moves is free when it is given anew.
    for (const schedule of plan.remove) {
      await client.deleteSchedule(deploymentId, schedule.id)
      done.remove.push(schedule)
    }
    for (const change of plan.update) {
      await client.updateSchedule(deploymentId, change.id, change.body)
      done.update.push(change)
    }
    if (plan.create.length > 0) {
      await client.createSchedules(deploymentId, plan.create)
      done.create.push(...plan.create)
    }
  })
  return done
}

import * as z from 'zod'
import { jsonObject, stored, timestamp } from './common.ts'
import { durationSeconds } from './duration.ts'

/** Prefect's client forbids extra keys when it reads these three back: send exactly their fields. */
const intervalSchedule = z
  .strictObject({
    /** Seconds, greater than zero; or an ISO 8601 duration, which is answered as seconds. */
    interval: durationSeconds.pipe(z.number().positive()),
    anchor_date: timestamp.optional(),
    timezone: z.string().nullish(),
  })
  .meta({ id: 'IntervalSchedule' })

const cronSchedule = z
  .strictObject({
    cron: z.string(),
    timezone: z.string().nullish(),
    day_or: z.boolean().optional(),
  })
  .meta({ id: 'CronSchedule' })

const rruleSchedule = z
  .strictObject({ rrule: z.string().max(6500), timezone: z.string().nullish() })
  .meta({ id: 'RRuleSchedule' })

const schedule = z.union([intervalSchedule, cronSchedule, rruleSchedule])
export type Schedule = z.infer<typeof schedule>

/** A year: an older date is nobody's any more. */
const MAX_WINDOW_SECONDS = 366 * 24 * 3600

/**
 * What becomes of dates whose run could not start in time: `all` get one, of several only the `last` one does, or all are
 * skipped. Dates older than the window are dropped in each case; `skip` without a window takes a minute. Null is Prefect's
 * behaviour, which is `all` without a window.
 */
export const missedRuns = z
  .strictObject({
    policy: z.enum(['skip', 'last', 'all']),
    window_seconds: z.int().min(1).max(MAX_WINDOW_SECONDS).nullable().default(null),
  })
  .meta({ id: 'MissedRuns' })
export type MissedRuns = z.infer<typeof missedRuns>

export const deploymentScheduleCreate = z
  .strictObject({
    schedule,
    active: z.boolean().optional(),
    max_scheduled_runs: z.int().positive().max(100).nullish(),
    parameters: jsonObject.optional(),
    slug: z.string().nullish(),
    replaces: z.string().nullish(),
    missed_runs: missedRuns.nullish(),
  })
  .meta({ id: 'DeploymentScheduleCreate' })
export type DeploymentScheduleCreate = z.infer<typeof deploymentScheduleCreate>

export const deploymentScheduleUpdate = z
  .strictObject({
    schedule: schedule.nullish(),
    active: z.boolean().nullish(),
    max_scheduled_runs: z.int().positive().max(100).nullish(),
    parameters: jsonObject.nullish(),
    slug: z.string().nullish(),
    replaces: z.string().nullish(),
    missed_runs: missedRuns.nullish(),
  })
  .meta({ id: 'DeploymentScheduleUpdate' })
export type DeploymentScheduleUpdate = z.infer<typeof deploymentScheduleUpdate>

export const deploymentSchedule = z
  .object({
    ...stored,
    deployment_id: z.string(),
    schedule,
    active: z.boolean(),
    max_scheduled_runs: z.int().nullable(),
    parameters: jsonObject,
    slug: z.string().nullable(),
    missed_runs: missedRuns.nullable(),
  })
  .meta({ id: 'DeploymentSchedule' })
export type DeploymentSchedule = z.infer<typeof deploymentSchedule>

export const schedulePreviewQuery = z
  .strictObject({
    schedule,
    /** Instead of the schedule's own. */
    timezone: z.string().nullish(),
    /** Itself included; default: now. */
    after: timestamp.nullish(),
    limit: z.int().min(1).max(100).nullish(),
  })
  .meta({ id: 'SchedulePreviewQuery' })
export type SchedulePreviewQuery = z.infer<typeof schedulePreviewQuery>

const previewDate = z.object({
  date: z.string(),
  /** What the zone's clocks show, with their offset. */
  local: z.string(),
  /** What a change of the clocks does to it. */
  note: z.string().nullable(),
})
export type PreviewDate = z.infer<typeof previewDate>

export const schedulePreview = z
  .object({ schedule, timezone: z.string(), dates: z.array(previewDate) })
  .meta({ id: 'SchedulePreview' })
export type SchedulePreview = z.infer<typeof schedulePreview>

import * as z from 'zod'
import { jsonObject, objectName, tags, timestamp, uuid } from './common.ts'
import { job } from './job.ts'

/** The runs of past, or coming, dates of a deployment's schedules: those dates that have none get one. */
export const backfillCreate = z
  .strictObject({
    start: timestamp,
    /** Itself included. */
    end: timestamp,
    /** Null: all schedules that are active. */
    schedule_id: uuid.nullish(),
    /** Over those of the deployment and of the schedule. */
    parameters: jsonObject.nullish(),
    /** Beside the deployment's own and `backfill`. */
    tags: tags.nullish(),
    /** Dates of the past are due before all others: a queue of their own keeps them out of the way. */
    work_queue_name: objectName.nullish(),
    /** More dates than this are refused. */
    limit: z.int().min(1).nullish(),
    /** Only counts. */
    dry_run: z.boolean().optional(),
  })
  .meta({ id: 'DeploymentBackfillCreate' })
export type BackfillCreate = z.infer<typeof backfillCreate>

export const backfill = z
  .object({
    /** How many dates there are, whether or not they have a run. */
    dates: z.int(),
    first: z.string().nullable(),
    last: z.string().nullable(),
    /** What makes the runs; null where nothing is to be made. */
    job: job.nullable(),
  })
  .meta({ id: 'DeploymentBackfillAnswer' })
export type Backfill = z.infer<typeof backfill>

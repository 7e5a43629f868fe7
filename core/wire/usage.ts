import * as z from 'zod'
import { timestamp } from './common.ts'

/** The plans of `worker/domain/plans`. */
export const planName = z.enum(['self_hosted', 'free', 'team'])

const count = z.int().min(0)
const days = z.int().min(1).max(36_500)

/** What an account may use in a month, and how many days what is over is kept; null: any number. */
export const limits = z
  .object({
    flow_runs: count.nullable(),
    log_bytes: count.nullable(),
    flow_run_days: days.nullable(),
    event_days: days,
    log_days: days,
    audit_days: days,
  })
  .meta({ id: 'Limits' })

/** What differs from a plan; what is not named is as the plan has it. */
export const limitsChange = z.strictObject(limits.partial().shape)

const counts = z.object({
  /** Made, also by schedules; those that a schedule took back before they began are not counted. */
  flow_runs: z.int(),
  task_runs: z.int(),
  events: z.int(),
  /** Of log lines, as they are kept. */
  log_bytes: z.int(),
})

export const usage = z
  .object({
    plan: planName,
    limits,
    /** What the whole account has used in this month, which is what limits are compared with. */
    month: counts.extend({ from: timestamp, resets: timestamp }),
    /** What this workspace has used, the latest day first; days without anything are left out. */
    days: z.array(counts.extend({ day: z.string() })),
  })
  .meta({ id: 'Usage' })
export type Usage = z.infer<typeof usage>

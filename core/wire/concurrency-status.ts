import * as z from 'zod'

/** A flow run that holds a slot of its queue. */
const slotHolder = z
  .object({
    id: z.string(),
    name: z.string(),
    state_type: z.string().nullable(),
    state_name: z.string().nullable(),
    start_time: z.string().nullable(),
    state_timestamp: z.string().nullable(),
    /** Seconds. */
    time_in_current_state: z.number().nullable(),
  })
  .meta({ id: 'FlowRunSlotSummary' })
export type SlotHolder = z.infer<typeof slotHolder>

const numbered = {
  page: z.int().min(1).optional(),
  limit: z.int().min(0).max(200).nullish(),
}

export const queueConcurrencyQuery = z
  .strictObject(numbered)
  .meta({ id: 'WorkQueueConcurrencyQuery' })

export const poolConcurrencyQuery = z
  .strictObject({ ...numbered, flow_run_limit: z.int().min(0).max(200).optional() })
  .meta({ id: 'WorkPoolConcurrencyQuery' })

const shared = { active_slots: z.int(), concurrency_limit: z.int().nullable() }
const page = { count: z.int(), limit: z.int(), pages: z.int(), page: z.int() }

/** The page counts the flow runs. */
export const queueConcurrency = z
  .object({ ...shared, ...page, flow_runs: z.array(slotHolder) })
  .meta({ id: 'WorkQueueConcurrencyStatus' })

/** The page counts the queues. */
export const poolConcurrency = z
  .object({
    ...shared,
    ...page,
    queues: z.array(
      z
        .object({
          ...shared,
          queue_id: z.string(),
          queue_name: z.string(),
          flow_run_count: z.int(),
          flow_runs: z.array(slotHolder),
        })
        .meta({ id: 'WorkQueueConcurrencyStatusDetail' }),
    ),
  })
  .meta({ id: 'WorkPoolConcurrencyStatus' })

import * as z from 'zod'
import { objectName, stored, uuid } from './common.ts'

const count = z.int().min(0)

export const concurrencyLimitCreate = z
  .strictObject({
    name: objectName,
    limit: count,
    active: z.boolean().optional(),
    active_slots: count.optional(),
    denied_slots: count.optional(),
    slot_decay_per_second: z.number().min(0).optional(),
  })
  .meta({ id: 'ConcurrencyLimitV2Create' })
export type ConcurrencyLimitCreate = z.infer<typeof concurrencyLimitCreate>

/** Null is as good as absent. */
export const concurrencyLimitUpdate = z
  .strictObject({
    name: objectName.nullish(),
    limit: count.nullish(),
    active: z.boolean().nullish(),
    active_slots: count.nullish(),
    denied_slots: count.nullish(),
    slot_decay_per_second: z.number().min(0).nullish(),
  })
  .meta({ id: 'ConcurrencyLimitV2Update' })
export type ConcurrencyLimitUpdate = z.infer<typeof concurrencyLimitUpdate>

const limitFields = {
  ...stored,
  name: z.string(),
  limit: z.int(),
  active: z.boolean(),
  active_slots: z.int(),
  slot_decay_per_second: z.number(),
}

export const concurrencyLimit = z
  .object({
    ...limitFields,
    denied_slots: z.int(),
    avg_slot_occupancy_seconds: z.number(),
  })
  .meta({ id: 'ConcurrencyLimitV2' })
export type ConcurrencyLimit = z.infer<typeof concurrencyLimit>

export const globalConcurrencyLimit = z
  .object(limitFields)
  .meta({ id: 'GlobalConcurrencyLimitResponse' })
export type GlobalConcurrencyLimit = z.infer<typeof globalConcurrencyLimit>

const names = z.array(z.string()).min(1)
const slots = z.int().positive()
/** Retired: limits are made before they are used. */
const createIfMissing = { create_if_missing: z.boolean().nullish() }
const leaseSeconds = z.number().min(60).max(86_400).default(300)

export const incrementSlots = z
  .object({
    names,
    slots,
    mode: z.enum(['concurrency', 'rate_limit']).default('concurrency'),
    ...createIfMissing,
  })
  .meta({ id: 'IncrementSlots' })

export const incrementSlotsWithLease = z
  .object({
    names,
    slots,
    mode: z.enum(['concurrency', 'rate_limit']).default('concurrency'),
    lease_duration: leaseSeconds,
    holder: z
      .strictObject({ type: z.enum(['flow_run', 'task_run', 'deployment']), id: uuid })
      .meta({ id: 'ConcurrencyLeaseHolder' })
      .nullish(),
  })
  .meta({ id: 'IncrementSlotsWithLease' })

export const decrementSlots = z
  .object({ names, slots, occupancy_seconds: z.number().positive().nullish(), ...createIfMissing })
  .meta({ id: 'DecrementSlots' })

export const releaseLease = z.object({ lease_id: uuid }).meta({ id: 'ReleaseLease' })

export const renewLease = z.object({ lease_duration: leaseSeconds }).meta({ id: 'RenewLease' })

export const minimalConcurrencyLimit = z
  .object({ id: z.string(), name: z.string(), limit: z.int() })
  .meta({ id: 'MinimalConcurrencyLimitResponse' })
export type MinimalConcurrencyLimit = z.infer<typeof minimalConcurrencyLimit>

export const limitsWithLease = z
  .object({ lease_id: z.string(), limits: z.array(minimalConcurrencyLimit) })
  .meta({ id: 'ConcurrencyLimitWithLeaseResponse' })

// The older routes: limits of tags, under the names `tag:<tag>`.

export const tagLimitCreate = z
  .strictObject({ tag: z.string(), concurrency_limit: z.int() })
  .meta({ id: 'ConcurrencyLimitCreate' })
export type TagLimitCreate = z.infer<typeof tagLimitCreate>

export const tagLimit = z
  .object({
    ...stored,
    tag: z.string(),
    concurrency_limit: z.int(),
    /** The ids of the task runs that hold slots. */
    active_slots: z.array(z.string()),
  })
  .meta({ id: 'ConcurrencyLimit' })
export type TagLimit = z.infer<typeof tagLimit>

export const tagLimitReset = z
  .object({ slot_override: z.array(uuid).nullish() })
  .meta({ id: 'TagLimitReset' })

export const tagSlots = z
  .object({ names: z.array(z.string()), task_run_id: uuid })
  .meta({ id: 'TagSlots' })

import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'

/**
 * A workspace's limits and who holds their slots (contract 2.4). A slot that is held is a lease, never only a counter; what is
 * taken without a lease, and what decays, is counted.
 */
export interface Limit {
  id: string
  created: Micros
  updated: Micros
  name: string
  active: boolean
  limit: number
  slot_decay_per_second: number
  avg_slot_occupancy_seconds: number
  /** Slots taken without a lease, as they were at `counted_at`; they decay. */
  counted: number
  counted_at: Micros
  /** Slots asked for in vain of late, as they were at `denied_at`; they decay too. */
  denied: number
  denied_at: Micros
}

export interface Holder {
  type: 'flow_run' | 'task_run' | 'deployment'
  id: string
}

export interface Lease {
  id: string
  created: Micros
  /** Null: it never ends by itself, since its holder can't renew it. */
  expires: Micros | null
  holder: Holder | null
  /** By the id of the limit. `held` slots count while the lease is there; `counted` ones are in the limit's counter. */
  slots: Record<string, { held: number; counted: number }>
}

export type Mode = 'concurrency' | 'rate_limit'

/** As in Prefect: how long a client is told to wait at most, for limits of task tags and for others. */
const MAX_TAG_WAIT_SECONDS = 10
const MAX_WAIT_SECONDS = 30
const MIN_OCCUPANCY_SECONDS = 0.1
/** The average occupancy is that of about twice as many holders as there are slots. */
const OCCUPANCY_SAMPLES = 2

/** Slots that are left of a number that decays, and from when on the next one decays. No part of a slot is lost by looking. */
export function decayed(
  count: number,
  since: Micros,
  perSecond: number,
  now: Micros,
): { count: number; since: Micros } {
  const seconds = Math.max(0, now - since) / MICROS_PER_SECOND
  const gone = Math.floor(perSecond * seconds)
  return gone >= count
    ? { count: 0, since: Math.max(since, now) }
    : {
        count: count - gone,
        since: gone === 0 ? since : since + Math.round((gone / perSecond) * MICROS_PER_SECOND),
      }
}

/** The limit with its counters as they are now. */
export function settledLimit(limit: Limit, now: Micros): Limit {
  const counted = decayed(limit.counted, limit.counted_at, limit.slot_decay_per_second, now)
  const denied = decayed(limit.denied, limit.denied_at, deniedDecay(limit), now)
  return {
    ...limit,
    counted: counted.count,
    counted_at: counted.since,
    denied: denied.count,
    denied_at: denied.since,
  }
}

function deniedDecay(limit: Limit): number {
  return limit.slot_decay_per_second > 0
    ? limit.slot_decay_per_second
    : 1 /
        Math.max(
          MIN_OCCUPANCY_SECONDS,
          Math.min(limit.avg_slot_occupancy_seconds, maxWait(limit.name)),
        )
}

function maxWait(name: string): number {
  return name.startsWith('tag:') ? MAX_TAG_WAIT_SECONDS : MAX_WAIT_SECONDS
}

/**
 * When it is worth to ask again, on average: by the limit under the largest pressure.
 * @param limits the active ones, settled, before this denial is noted; at least one
 */
export function averageWaitSeconds(limits: readonly Limit[], slots: number): number {
  const pressure = (limit: Limit) =>
    (slots + limit.denied) / (limit.slot_decay_per_second > 0 ? 1 : Math.max(1, limit.limit))
  const [blocking] = limits.toSorted((a, b) => pressure(b) - pressure(a))
  if (blocking === undefined) {
    return 0
  }
  if (blocking.slot_decay_per_second > 0) {
    return pressure(blocking) / blocking.slot_decay_per_second
  }
  const most = maxWait(blocking.name)
  return Math.min(Math.min(blocking.avg_slot_occupancy_seconds, most) * pressure(blocking), most)
}

const UPPER_CLAMP = 1.3
/** As much of the distribution lies between it and the median as between the median and the upper one. */
const LOWER_CLAMP = Math.log2(2 ** UPPER_CLAMP / (2 ** UPPER_CLAMP - 1))

/**
 * A wait around an average, spread as arrivals are, so that those who wait don't come back all at once.
 * @param random a number of [0, 1)
 */
export function spreadWait(averageSeconds: number, random: number): number {
  const lower = 1 - Math.exp(-LOWER_CLAMP)
  const upper = 1 - Math.exp(-UPPER_CLAMP)
  return -Math.log(1 - (lower + random * (upper - lower))) * averageSeconds
}

/** The average occupancy after somebody held that many slots for that long. */
export function occupancyAfter(limit: Limit, slots: number, seconds: number): number {
  const average = limit.avg_slot_occupancy_seconds
  const samples = limit.limit * OCCUPANCY_SAMPLES
  return samples === 0 || slots === 0
    ? average
    : average + (Math.max(seconds / slots, MIN_OCCUPANCY_SECONDS) - average) / samples
}

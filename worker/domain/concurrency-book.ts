import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import {
  averageWaitSeconds,
  occupancyAfter,
  settledLimit,
  spreadWait,
  type Holder,
  type Lease,
  type Limit,
  type Mode,
} from './concurrency.ts'

export type LimitFields = Pick<Limit, 'name' | 'limit' | 'active' | 'slot_decay_per_second'> & {
  active_slots: number
  denied_slots: number
}

/** A limit as it is read. */
export interface LimitView extends Omit<Limit, 'counted' | 'counted_at' | 'denied' | 'denied_at'> {
  active_slots: number
  denied_slots: number
}

export interface Request {
  names: readonly string[]
  slots: number
  mode: Mode
  /** Without it the slots are only counted. */
  lease?: { id: string; seconds: number | null; holder: Holder | null }
}

export type Acquired =
  | { kind: 'acquired'; limits: LimitView[] }
  | { kind: 'full'; limits: LimitView[]; average_seconds: number; retry_after: number }
  | { kind: 'more_than_limit' }
  | { kind: 'no_decay'; names: string[] }

/** What is to be written after an operation. */
export interface Changes {
  limits: Limit[]
  removed_limits: string[]
  leases: Lease[]
  removed_leases: string[]
}

/** How far the average occupancy may move before it is worth a written row: it only spreads waits. */
const OCCUPANCY_DRIFT = 0.1

/**
 * The limits of one workspace with the leases on them. Everything happens at once in memory; `takeChanges` tells what of it must
 * be kept. Expired leases are let go before anything else is looked at.
 */
export class ConcurrencyBook {
  readonly #limits = new Map<string, Limit>()
  readonly #leases = new Map<string, Lease>()
  readonly #held = new Map<string, number>()
  readonly #writtenOccupancy = new Map<string, number>()
  readonly #changed = { limits: new Set<string>(), leases: new Set<string>() }

  constructor(limits: readonly Limit[], leases: readonly Lease[]) {
    for (const limit of limits) {
      this.#limits.set(limit.id, limit)
      this.#writtenOccupancy.set(limit.id, limit.avg_slot_occupancy_seconds)
    }
    for (const lease of leases) {
      this.#leases.set(lease.id, lease)
      this.#count(lease, 1)
    }
  }

  // Limits

  names(): string[] {
    return [...this.#limits.values()].map(({ name }) => name)
  }

  /** Null: the name is taken. */
  create(fields: LimitFields, id: string, now: Micros): LimitView | null {
    if (this.#named(fields.name) !== undefined) {
      return null
    }
    const { active_slots, denied_slots, ...own } = fields
    return this.#view(
      this.#put({
        ...own,
        id,
        created: now,
        updated: now,
        avg_slot_occupancy_seconds: 2,
        counted: active_slots,
        counted_at: now,
        denied: denied_slots,
        denied_at: now,
      }),
    )
  }

  find(idOrName: string, now: Micros): LimitView | undefined {
    const limit = this.#limits.get(idOrName) ?? this.#named(idOrName)
    return limit === undefined ? undefined : this.#view(settledLimit(limit, now))
  }

  /** The task runs that have leases on a limit. */
  taskRunIds(limitId: string): string[] {
    return [...this.#leases.values()].flatMap(({ holder, slots }) =>
      holder?.type === 'task_run' && slots[limitId] !== undefined ? [holder.id] : [],
    )
  }

  leases(): Lease[] {
    return [...this.#leases.values()]
  }

  /** By name. */
  list(now: Micros): LimitView[] {
    return [...this.#limits.values()]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((limit) => this.#view(settledLimit(limit, now)))
  }

  /** Undefined: there is no such limit. Null: the new name is taken. */
  update(
    idOrName: string,
    changes: Partial<LimitFields>,
    now: Micros,
  ): LimitView | undefined | null {
    const found = this.#limits.get(idOrName) ?? this.#named(idOrName)
    if (found === undefined) {
      return undefined
    }
    if (changes.name !== undefined && changes.name !== found.name && this.#named(changes.name)) {
      return null
    }
    const { active_slots, denied_slots, ...own } = changes
    const limit = { ...settledLimit(found, now), ...own, updated: now }
    if (denied_slots !== undefined) {
      limit.denied = denied_slots
      limit.denied_at = now
    }
    if (active_slots !== undefined) {
      this.#forgetSlots(limit.id, active_slots)
      limit.counted = active_slots - this.#heldOf(limit.id)
      limit.counted_at = now
    }
    return this.#view(this.#put(limit))
  }

  /** Its leases hold nothing of it any more. */
  remove(idOrName: string): LimitView | undefined {
    const limit = this.#limits.get(idOrName) ?? this.#named(idOrName)
    if (limit === undefined) {
      return undefined
    }
    const view = this.#view(limit)
    this.#takeOff(limit.id)
    this.#limits.delete(limit.id)
    this.#changed.limits.add(limit.id)
    return view
  }

  /** Frees all its slots; then each of the named task runs holds one, above the limit if need be. */
  reset(idOrName: string, taskRunIds: string[], newId: () => string, now: Micros): boolean {
    const found = this.#limits.get(idOrName) ?? this.#named(idOrName)
    if (found === undefined) {
      return false
    }
    this.#takeOff(found.id)
    this.#put({ ...settledLimit(found, now), counted: 0, counted_at: now })
    for (const id of taskRunIds) {
      this.#putLease({
        id: newId(),
        created: now,
        expires: null,
        holder: { type: 'task_run', id },
        slots: { [found.id]: { held: 1, counted: 0 } },
      })
    }
    return true
  }

  // Slots

  /** All or nothing, over all names; names without a limit are left out, inactive limits are not counted. */
  acquire({ names, slots, mode, lease }: Request, random: number, now: Micros): Acquired {
    this.expire(now)
    const limits = this.#limitsNamed(names).map((limit) => settledLimit(limit, now))
    const active = limits.filter((limit) => limit.active)
    if (active.some((limit) => limit.limit < slots)) {
      return { kind: 'more_than_limit' }
    }
    const constant = active.filter((limit) => limit.slot_decay_per_second === 0)
    if (mode === 'rate_limit' && constant.length > 0) {
      return { kind: 'no_decay', names: constant.map(({ name }) => name) }
    }
    if (active.some((limit) => this.#activeSlots(limit) + slots > limit.limit)) {
      const average = averageWaitSeconds(active, slots)
      for (const limit of active) {
        this.#limits.set(limit.id, { ...limit, denied: limit.denied + slots })
      }
      const views = limits.map((limit) => this.#view(limit))
      const retryAfter = spreadWait(average, random)
      return { kind: 'full', limits: views, average_seconds: average, retry_after: retryAfter }
    }
    const taken = new Map(
      active.map((limit) => [limit.id, lease !== undefined && limit.slot_decay_per_second === 0]),
    )
    for (const limit of active) {
      if (taken.get(limit.id) === false) {
        this.#put({ ...limit, counted: limit.counted + slots })
      }
    }
    if (lease !== undefined && limits.length > 0) {
      this.#putLease({
        id: lease.id,
        created: now,
        expires: lease.seconds === null ? null : now + toMicros(lease.seconds),
        holder: lease.holder,
        slots: Object.fromEntries(
          limits.map(({ id }) => [
            id,
            {
              held: taken.get(id) === true ? slots : 0,
              counted: taken.get(id) === false ? slots : 0,
            },
          ]),
        ),
      })
    }
    return { kind: 'acquired', limits: limits.map((limit) => this.#view(limit)) }
  }

  /** Gives back slots that were taken without a lease. */
  decrement(
    names: readonly string[],
    slots: number,
    occupancySeconds: number | null,
    now: Micros,
  ): LimitView[] {
    this.expire(now)
    const limits = this.#limitsNamed(names)
    for (const limit of limits.filter(({ active }) => active)) {
      this.#giveBack(limit.id, slots, slots, occupancySeconds, now)
    }
    return limits.map((limit) => this.#view(settledLimit(limit, now)))
  }

  /** Whether there is such a lease. */
  renew(id: string, seconds: number, now: Micros): boolean {
    this.expire(now)
    const lease = this.#leases.get(id)
    if (lease === undefined) {
      return false
    }
    this.#putLease({ ...lease, expires: now + toMicros(seconds) })
    return true
  }

  /** Frees what a lease holds; one that is gone holds nothing. */
  release(id: string, now: Micros): void {
    this.expire(now)
    const lease = this.#leases.get(id)
    if (lease !== undefined) {
      this.#end(lease, now)
    }
  }

  /** Frees all that somebody holds of the named limits; returns those limits. */
  releaseHolder(names: readonly string[], holderId: string, now: Micros): LimitView[] {
    this.expire(now)
    const limits = this.#limitsNamed(names)
    const ids = new Set(limits.map(({ id }) => id))
    for (const lease of this.#leases.values()) {
      if (lease.holder?.id === holderId && Object.keys(lease.slots).some((id) => ids.has(id))) {
        this.#end(lease, now)
      }
    }
    return limits.map((limit) => this.#view(settledLimit(limit, now)))
  }

  expire(now: Micros): void {
    for (const lease of this.#leases.values()) {
      if (lease.expires !== null && lease.expires <= now) {
        this.#end(lease, now)
      }
    }
  }

  /** When the next lease ends; null when none does. */
  nextExpiry(): Micros | null {
    let next: Micros | null = null
    for (const { expires } of this.#leases.values()) {
      next = expires === null ? next : Math.min(next ?? expires, expires)
    }
    return next
  }

  /** Gives every lease that has run out the same time anew: nobody could renew it. */
  extend(seconds: number, now: Micros): void {
    for (const lease of this.#leases.values()) {
      if (lease.expires !== null && lease.expires <= now) {
        this.#putLease({ ...lease, expires: now + toMicros(seconds) })
      }
    }
  }

  takeChanges(): Changes {
    const limits = [...this.#changed.limits]
    const leases = [...this.#changed.leases]
    this.#changed.limits.clear()
    this.#changed.leases.clear()
    for (const id of limits) {
      this.#writtenOccupancy.set(id, this.#limits.get(id)?.avg_slot_occupancy_seconds ?? 0)
    }
    return {
      limits: limits.flatMap((id) => this.#limits.get(id) ?? []),
      removed_limits: limits.filter((id) => !this.#limits.has(id)),
      leases: leases.flatMap((id) => this.#leases.get(id) ?? []),
      removed_leases: leases.filter((id) => !this.#leases.has(id)),
    }
  }

  #end(lease: Lease, now: Micros): void {
    this.#removeLease(lease)
    const seconds = (now - lease.created) / MICROS_PER_SECOND
    for (const [id, { held, counted }] of Object.entries(lease.slots)) {
      this.#giveBack(id, counted, held + counted, seconds, now)
    }
  }

  /** Takes slots off a limit's counter and notes how long they, with those that a lease held, were in use. */
  #giveBack(
    id: string,
    counted: number,
    slots: number,
    occupancySeconds: number | null,
    now: Micros,
  ): void {
    const found = this.#limits.get(id)
    if (found === undefined) {
      return
    }
    const limit = settledLimit(found, now)
    limit.counted = Math.max(0, limit.counted - counted)
    if (found.active && occupancySeconds !== null && occupancySeconds > 0) {
      limit.avg_slot_occupancy_seconds = occupancyAfter(limit, slots, occupancySeconds)
    }
    this.#limits.set(id, limit)
    const written = this.#writtenOccupancy.get(id) ?? 0
    const drift = Math.abs(limit.avg_slot_occupancy_seconds - written)
    if (counted > 0 || drift > written * OCCUPANCY_DRIFT) {
      this.#changed.limits.add(id)
    }
  }

  /** Leases go on, so that their holders may renew them, but hold nothing of the limit; those that never end go with it. */
  #takeOff(limitId: string): void {
    for (const lease of this.#leases.values()) {
      if (lease.slots[limitId] !== undefined) {
        const { [limitId]: _gone, ...slots } = lease.slots
        if (lease.expires === null && Object.keys(slots).length === 0) {
          this.#removeLease(lease)
        } else {
          this.#putLease({ ...lease, slots })
        }
      }
    }
  }

  /** The oldest leases hold nothing of the limit any more, until those that do hold no more than that. */
  #forgetSlots(limitId: string, atMost: number): void {
    for (const lease of this.#leases.values()) {
      const held = lease.slots[limitId]?.held ?? 0
      if (held > 0 && this.#heldOf(limitId) > atMost) {
        this.#putLease({ ...lease, slots: { ...lease.slots, [limitId]: { held: 0, counted: 0 } } })
      }
    }
  }

  #put(limit: Limit): Limit {
    this.#limits.set(limit.id, limit)
    this.#changed.limits.add(limit.id)
    return limit
  }

  #putLease(lease: Lease): void {
    const before = this.#leases.get(lease.id)
    if (before !== undefined) {
      this.#count(before, -1)
    }
    this.#leases.set(lease.id, lease)
    this.#count(lease, 1)
    this.#changed.leases.add(lease.id)
  }

  #removeLease(lease: Lease): void {
    this.#count(lease, -1)
    this.#leases.delete(lease.id)
    this.#changed.leases.add(lease.id)
  }

  #count(lease: Lease, sign: 1 | -1): void {
    for (const [id, { held }] of Object.entries(lease.slots)) {
      this.#held.set(id, this.#heldOf(id) + sign * held)
    }
  }

  #heldOf(limitId: string): number {
    return this.#held.get(limitId) ?? 0
  }

  #activeSlots(limit: Limit): number {
    return limit.counted + this.#heldOf(limit.id)
  }

  #named(name: string): Limit | undefined {
    return [...this.#limits.values()].find((limit) => limit.name === name)
  }

  #limitsNamed(names: readonly string[]): Limit[] {
    const wanted = new Set(names)
    return [...this.#limits.values()]
      .filter(({ name }) => wanted.has(name))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  #view(limit: Limit): LimitView {
    const { counted: _counted, counted_at: _at, denied, denied_at: _deniedAt, ...own } = limit
    return {
      ...own,
      active_slots: this.#activeSlots(limit),
      denied_slots: denied,
    }
  }
}

function toMicros(seconds: number): Micros {
  return Math.round(seconds * MICROS_PER_SECOND)
}

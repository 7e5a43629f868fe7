import { runTail } from '#core/flow-run-id.ts'
import { MICROS_PER_SECOND } from '#core/time.ts'
import { settled } from '#domain/execution.ts'
import { loseSlot, renewSlot } from '#domain/slot-lease.ts'
import type { Home } from './home.ts'

/** How many slots of their deployments' limits are in use. */
export function deploymentSlots(home: Home, ids: string[]): Record<string, number> {
  return Object.fromEntries(ids.map((id) => [id, home.store.deploymentSlots(id)]))
}

/** The engine of a run says that it is still there. @returns whether the lease is */
export function renewSlotLease(home: Home, leaseId: string, seconds: number): boolean {
  const now = home.now()
  for (const run of home.store.liveWithTail(runTail(leaseId))) {
    const renewed = renewSlot(run, leaseId, now + Math.round(seconds * MICROS_PER_SECOND))
    if (renewed !== undefined) {
      home.store.save(settled(renewed, now), now)
      home.arm()
      return true
    }
  }
  return false
}

/** Frees the slot; the run shows what it showed. Idempotent: a lease that is gone holds nothing. */
export function releaseSlotLease(home: Home, leaseId: string): void {
  const now = home.now()
  for (const run of home.store.liveWithTail(runTail(leaseId))) {
    if (run.slot_lease?.id === leaseId) {
      home.store.save(settled(loseSlot(run), now), now)
    }
  }
  home.afterChange()
}

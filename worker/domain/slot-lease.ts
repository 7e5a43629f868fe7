import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { ConcurrencyOptions } from '#core/wire/deployment.ts'
import type { HomeRun } from './execution.ts'
import type { ProposedState } from './flow-run.ts'

/**
 * How a run that no agent leases holds its deployment's slot: by a lease that Prefect's engine renews. What ends with it is the
 * slot alone: the run shows what it showed, since nobody knows what has become of it.
 */
export interface SlotLease {
  id: string
  /** Null: the client is too old to renew it; the slot is free when the run's state says so. */
  until: Micros | null
}

/** As in Prefect: the time for starting the run's infrastructure, where its deployment names none. */
const GRACE_SECONDS = 300

export function graceMicros(options: ConcurrencyOptions | null | undefined): Micros {
  return (options?.grace_period_seconds ?? GRACE_SECONDS) * MICROS_PER_SECOND
}

/** Whether the run's slot of its deployment is in use. */
export function holdsDeploymentSlot(run: HomeRun): boolean {
  return run.live && run.slot_lost !== true
}

/** When the run's lease ends, if it can. */
export function slotLeaseTimer(run: HomeRun): Micros | null {
  return holdsDeploymentSlot(run) ? (run.slot_lease?.until ?? null) : null
}

/** Its holder has said nothing for too long. */
export function loseSlot(run: HomeRun): HomeRun {
  return { ...run, slot_lost: true }
}

/** Undefined: the lease is gone. */
export function renewSlot(run: HomeRun, leaseId: string, until: Micros): HomeRun | undefined {
  return run.slot_lease?.id === leaseId && holdsDeploymentSlot(run)
    ? { ...run, slot_lease: { id: leaseId, until } }
    : undefined
}

export interface WrittenState {
  state: ProposedState
  /** The id of the lease that was made for it, if one was. */
  minted: string | null
  /** Whether whoever proposed it renews leases. */
  renews: boolean
}

/** What becomes of a run's lease with a state that is written. */
export function slotAfter(
  run: HomeRun,
  { state, minted, renews }: WrittenState,
  until: Micros,
): Pick<HomeRun, 'slot_lease' | 'slot_lost'> {
  const from = run.record.state_type
  if (minted !== null) {
    return { slot_lease: { id: minted, until }, slot_lost: false }
  }
  const lease = run.slot_lease ?? null
  const starts = from === 'PENDING' && (state.type === 'RUNNING' || state.type === 'CANCELLING')
  if (lease === null || !starts || run.slot_lost === true) {
    return { slot_lease: lease, slot_lost: run.slot_lost === true }
  }
  if (!renews) {
    return { slot_lease: { ...lease, until: null }, slot_lost: false }
  }
  return {
    slot_lease: state.type === 'RUNNING' ? { ...lease, until } : lease,
    slot_lost: false,
  }
}

const CLIENT = /^prefect\/(\d+)\.(\d+)\.(\d+)/

/** Prefect's engine renews leases from 3.4.11 on; others, and clients that are not Prefect's, don't. */
export function renewsLeases(userAgent: string | undefined): boolean {
  const [major = 0, minor = 0, patch = 0] = (CLIENT.exec(userAgent ?? '') ?? [])
    .slice(1)
    .map(Number)
  return major > 3 || (major === 3 && (minor > 4 || (minor === 4 && patch >= 11)))
}

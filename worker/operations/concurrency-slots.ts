import type { Micros } from '#core/time.ts'
import type { MinimalConcurrencyLimit } from '#core/wire/concurrency-limit.ts'
import type { Acquired } from '#domain/concurrency-book.ts'
import type { Holder, Mode } from '#domain/concurrency.ts'
import { deploymentLimit, deploymentOfLimit, isDeploymentLease } from '#domain/deployment-limit.ts'
import { listDeploymentLimits } from '#storage/deployment-limits.ts'
import { newId } from '#storage/new-id.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findFlowRunHome } from './flow-run-home.ts'
import { limitedNames } from './limited-names.ts'
import { concurrencyLimitsStub } from './stubs.ts'

export interface SlotRequest {
  names: string[]
  slots: number
  mode: Mode
  lease?: { seconds: number | null; holder: Holder | null }
}

type Refused = Exclude<Acquired, { kind: 'acquired' }>

/**
 * Takes slots of all limits with these names, or none. Names without a limit are left out: when none is left, nobody is asked
 * and nothing is kept. A deployment's slots are taken by its home when a run becomes Pending, never here: its limit is named in
 * the answer and nothing is counted.
 */
export async function acquireSlots(
  workspace: Workspace,
  request: SlotRequest,
  now: Micros,
): Promise<{ kind: 'acquired'; lease_id: string; limits: MinimalConcurrencyLimit[] } | Refused> {
  const ofDeployments = await deploymentLimits(workspace, request.names)
  const names = await limitedNames(workspace, request.names, now)
  if (names.length === 0) {
    return { kind: 'acquired', lease_id: newId(now), limits: ofDeployments }
  }
  const { lease_id, acquired } = await concurrencyLimitsStub(workspace).acquire(
    { ...request, names },
    now,
  )
  return acquired.kind === 'acquired'
    ? {
        kind: 'acquired',
        lease_id,
        limits: [...acquired.limits.map(toMinimalLimit), ...ofDeployments],
      }
    : acquired
}

export async function decrementSlots(
  workspace: Workspace,
  names: string[],
  slots: number,
  occupancySeconds: number | null,
  now: Micros,
): Promise<MinimalConcurrencyLimit[]> {
  const ofDeployments = await deploymentLimits(workspace, names)
  const limited = await limitedNames(workspace, names, now)
  const limits =
    limited.length === 0
      ? []
      : await concurrencyLimitsStub(workspace).decrement(limited, slots, occupancySeconds, now)
  return [...limits.map(toMinimalLimit), ...ofDeployments]
}

/** @returns whether the lease is there; its id tells who has it */
export async function renewLease(
  workspace: Workspace,
  id: string,
  seconds: number,
  now: Micros,
): Promise<boolean> {
  if (!isDeploymentLease(id)) {
    return await concurrencyLimitsStub(workspace).renew(id, seconds, now)
  }
  const home = await findFlowRunHome(workspace, id)
  return home !== undefined && (await home.stub.renewSlotLease(home.context, id, seconds))
}

/** Idempotent: a lease that is gone holds nothing. */
export async function releaseLease(workspace: Workspace, id: string, now: Micros): Promise<void> {
  if (!isDeploymentLease(id)) {
    await concurrencyLimitsStub(workspace).release(id, now)
    return
  }
  const home = await findFlowRunHome(workspace, id)
  await home?.stub.releaseSlotLease(home.context, id)
}

export function toMinimalLimit(limit: MinimalConcurrencyLimit): MinimalConcurrencyLimit {
  return { id: limit.id, name: limit.name, limit: limit.limit }
}

async function deploymentLimits(
  workspace: Workspace,
  names: readonly string[],
): Promise<MinimalConcurrencyLimit[]> {
  const ids = new Set(names.flatMap((name) => deploymentOfLimit(name) ?? []))
  const found = await Promise.all([...ids].map((id) => listDeploymentLimits(workspace, id)))
  return found
    .flat()
    .flatMap((limit) => deploymentLimit(limit, limit.concurrency_limit, 0) ?? [])
    .map(toMinimalLimit)
}

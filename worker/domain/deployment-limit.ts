import { flowRunStateId } from '#core/flow-run-id.ts'
import { isUuid } from '#core/uuid.ts'
import type { Deployment } from '#core/wire/deployment.ts'

/**
 * The limit of a deployment, as the API shows it. Its id is made of the deployment's (version 8 instead of 7), so that it is
 * stable, needs no row, and leads back to the deployment.
 */
export function deploymentLimit(
  deployment: { id: string; created: string; updated: string },
  limit: number | null,
  activeSlots: number,
): Deployment['global_concurrency_limit'] {
  if (limit === null) {
    return null
  }
  return {
    id: `${deployment.id.slice(0, 14)}8${deployment.id.slice(15)}`,
    created: deployment.created,
    updated: deployment.updated,
    name: `deployment:${deployment.id}`,
    limit,
    active: true,
    active_slots: activeSlots,
    slot_decay_per_second: 0,
  }
}

/** The deployment whose limit has that id or name; undefined when it is none of a deployment. */
export function deploymentOfLimit(idOrName: string): string | undefined {
  const name = /^deployment:(.+)$/.exec(idOrName)?.[1]
  if (name !== undefined) {
    return isUuid(name) ? name.toLowerCase() : undefined
  }
  return isUuid(idOrName) && idOrName[14] === '8'
    ? `${idOrName.slice(0, 14)}7${idOrName.slice(15)}`.toLowerCase()
    : undefined
}

/**
 * The id of the lease by which a flow run holds its deployment's slot: like the id of a state of the run, so that it leads to
 * the run's home, but of version 8.
 */
export function deploymentLeaseId(runId: string, timeMs: number, random: Uint8Array): string {
  const id = flowRunStateId(runId, timeMs, random)
  return `${id.slice(0, 14)}8${id.slice(15)}`
}

/** Leases of other limits have ids of version 7. */
export function isDeploymentLease(id: string): boolean {
  return id[14] === '8'
}

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

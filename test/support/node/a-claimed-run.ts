import type { JsonObject } from '../../../core/wire/common.ts'
import type { Deployment } from '../../../core/wire/deployment.ts'
import type { ClaimedRun } from '../../../core/wire/execution.ts'
import { aDeployment, aFlowRun, newUuid } from './wire-objects.ts'

export interface ClaimedRunOverrides {
  id?: string
  fence?: number
  parameters?: JsonObject
  job_configuration?: JsonObject
  deployment?: Partial<Deployment> | null
  run_token?: string
}

/** What an agent is given, valid by default. */
export function aClaimedRun(given: ClaimedRunOverrides = {}): ClaimedRun {
  const deployment = given.deployment === null ? null : aDeployment(given.deployment ?? {})
  const flow_run = aFlowRun({
    id: given.id ?? newUuid(),
    deployment_id: deployment?.id ?? null,
    work_queue_name: 'default',
    work_pool_name: 'pool',
    parameters: given.parameters ?? {},
    state_type: 'PENDING',
    state_name: 'Pending',
  })
  const { created, updated } = flow_run
  return {
    fence: given.fence ?? 1,
    run_token: given.run_token ?? 'hgr_token',
    job_configuration: given.job_configuration ?? {},
    flow: { id: flow_run.flow_id, created, updated, name: 'flow', tags: [], labels: {} },
    deployment,
    flow_run,
  }
}

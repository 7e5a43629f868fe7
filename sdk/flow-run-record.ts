import type { Deployment } from '../core/wire/deployment.ts'
import type { Flow } from '../core/wire/flow.ts'
import type { FlowRun } from '../core/wire/flow-run.ts'
import type { FlowRunRecord } from './backend.ts'
import { relatedResource, type RelatedResource, tagResources } from './events.ts'

type FlowName = Pick<Flow, 'id' | 'name' | 'tags'>

/** A flow run of the API as the engine keeps it. */
export function toFlowRunRecord(
  run: FlowRun,
  flow: FlowName,
  deployment: Deployment | null = null,
): FlowRunRecord {
  return {
    id: run.id,
    name: run.name,
    flowName: flow.name,
    deploymentId: run.deployment_id ?? undefined,
    tags: run.tags,
    runCount: run.run_count,
    policy: run.empirical_policy,
    related: relatedOf(run, flow, deployment),
  }
}

function relatedOf(run: FlowRun, flow: FlowName, deployment: Deployment | null): RelatedResource[] {
  const related = [
    relatedResource('flow-run', run.id, run.name),
    relatedResource('flow', flow.id, flow.name),
  ]
  if (run.deployment_id !== null) {
    related.push(relatedResource('deployment', run.deployment_id, deployment?.name))
  }
  if (run.work_queue_id !== null) {
    related.push(relatedResource('work-queue', run.work_queue_id, run.work_queue_name))
  }
  if (run.work_pool_id !== null) {
    related.push(relatedResource('work-pool', run.work_pool_id, run.work_pool_name))
  }
  const tags = new Set([...run.tags, ...flow.tags, ...(deployment?.tags ?? [])])
  return [...related, ...tagResources(tags)]
}

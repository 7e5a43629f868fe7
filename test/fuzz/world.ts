import type { Client } from '../../core/client.ts'

/** Ids and names that exist, by the path up to the parameter that takes them (`flows/id`) or the field of a body. */
export interface World {
  paths: Record<string, string[]>
  fields: Record<string, string[]>
}

/** As many of each: some of them are deleted on the way. */
const COPIES = 8

/** Far enough that nothing happens to a run by itself. */
const LATER = '2999-01-01T00:00:00Z'

/** Fills a workspace with some of everything, so that requests made at random hit something. */
export async function fill(client: Client): Promise<World> {
  const world: World = { paths: {}, fields: {} }
  for (let copy = 0; copy < COPIES; copy += 1) {
    for (const [place, value] of Object.entries(await fillOnce(client, copy))) {
      const into = place.includes('/') ? world.paths : world.fields
      into[place] = [...new Set([...(into[place] ?? []), value])]
    }
  }
  return world
}

async function fillOnce(client: Client, copy: number): Promise<Record<string, string>> {
  const flow = await client.createFlow({ name: `flow-${copy}`, tags: ['fuzzed'] })
  const pool = await client.createWorkPool({ name: `pool-${copy}`, type: 'process' })
  const queue = await client.createWorkQueue(pool.name, { name: `queue-${copy}` })
  await client.workerHeartbeat(pool.name, { name: `worker-${copy}` })
  const deployment = await client.createDeployment({
    name: `deployment-${copy}`,
    flow_id: flow.id,
    work_pool_name: pool.name,
    work_queue_name: queue.name,
    parameter_openapi_schema: { type: 'object', properties: { x: { pattern: '^a+$' } } },
    schedules: [{ schedule: { cron: '0 0 1 1 *', timezone: 'UTC' }, active: copy % 2 === 0 }],
  })
  const run = await client.createFlowRunFromDeployment(deployment.id, {
    state: { type: 'SCHEDULED', state_details: { scheduled_time: LATER } },
  })
  const loose = await client.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
  const taskRun = await client.createTaskRun({
    flow_run_id: loose.id,
    task_key: 'task',
    dynamic_key: String(copy),
    state: { type: 'RUNNING' },
  })
  await client.createFlowRunInput(loose.id, { key: `input-${copy}`, value: '1' })
  const blockType = await client.createBlockType({ name: `type-${copy}`, slug: `type-${copy}` })
  const blockSchema = await client.createBlockSchema({ block_type_id: blockType.id })
  const blockDocument = await client.createBlockDocument({
    name: `document-${copy}`,
    block_type_id: blockType.id,
    block_schema_id: blockSchema.id,
  })
  const limit = await client.createConcurrencyLimit({ name: `tag:tag-${copy}`, limit: 3 })
  const search = await client.saveSearch({ name: `search-${copy}` })
  const variable = await client.createVariable({ name: `variable_${copy}`, value: { a: [1] } })
  const artifact = await client.createArtifact({
    key: `artifact-${copy}`,
    data: 'text',
    flow_run_id: loose.id,
  })
  const automation = await client.createAutomation({
    name: `automation-${copy}`,
    trigger: { type: 'event', posture: 'Reactive', expect: ['never'], threshold: 1, within: 0 },
    actions: [{ type: 'do-nothing' }],
  })
  return {
    'flows/id': flow.id,
    'flows/name/name': flow.name,
    'deployments/id': deployment.id,
    'deployments/id/schedules/schedule_id': deployment.schedules[0]?.id ?? '',
    'deployments/name/flow_name': flow.name,
    'deployments/name/flow_name/deployment_name': deployment.name,
    'work_pools/name': pool.name,
    'work_pools/work_pool_name': pool.name,
    'work_pools/work_pool_name/queues/name': queue.name,
    'work_pools/work_pool_name/workers/name': `worker-${copy}`,
    'work_queues/id': queue.id,
    'work_queues/name/name': queue.name,
    'flow_runs/id': copy % 2 === 0 ? run.id : loose.id,
    'flow_runs/id/input/key': `input-${copy}`,
    'flow_run_states/id': loose.state_id ?? '',
    'task_runs/id': taskRun.id,
    'task_run_states/id': taskRun.state_id ?? '',
    'ui/task_runs/id': taskRun.id,
    'block_types/id': blockType.id,
    'block_types/slug/slug': blockType.slug,
    'block_types/slug/slug/block_documents/name/block_document_name': blockDocument.name,
    'block_schemas/id': blockSchema.id,
    'block_schemas/checksum/checksum': blockSchema.checksum,
    'block_documents/id': blockDocument.id,
    'v2/concurrency_limits/id_or_name': limit.id,
    'concurrency_limits/id': limit.id,
    'concurrency_limits/tag/tag': `tag-${copy}`,
    'saved_searches/id': search.id,
    'variables/id': variable.id,
    'variables/name/name': variable.name,
    'artifacts/id': artifact.id,
    'artifacts/key': `artifact-${copy}`,
    'automations/id': automation.id,
    flow_id: flow.id,
    deployment_id: deployment.id,
    flow_run_id: loose.id,
    task_run_id: taskRun.id,
    block_type_id: blockType.id,
    block_schema_id: blockSchema.id,
    work_pool_name: pool.name,
    work_queue_id: queue.id,
  }
}

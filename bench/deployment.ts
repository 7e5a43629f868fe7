import { randomUUID } from 'node:crypto'
import type { MeasuredServer } from './context.ts'

export interface BenchDeployment {
  id: string
  flow_id: string
  pool: string
  /** The pool's default queue. */
  queue_id: string
}

interface DeploymentOptions {
  pool?: string
  /** What its runs execute; default: a program that ends at once. */
  command?: string
}

/** A deployment in a pool of its own, made by requests that both servers take. */
export async function makeDeployment(
  { http }: MeasuredServer,
  options: DeploymentOptions = {},
): Promise<BenchDeployment> {
  const pool = options.pool ?? `pool-${randomUUID().slice(0, 8)}`
  const made = await http.json<{ default_queue_id: string }>('POST', 'work_pools/', {
    name: pool,
    type: 'process',
    base_job_template: PROCESS_TEMPLATE,
  })
  const flow = await http.json<{ id: string }>('POST', 'flows/', { name: `flow-${pool}` })
  const { id } = await http.json<{ id: string }>('POST', 'deployments/', {
    name: 'bench',
    flow_id: flow.id,
    work_pool_name: pool,
    entrypoint: 'bench.py:bench',
    job_variables: { command: options.command ?? 'true' },
  })
  return { id, flow_id: flow.id, pool, queue_id: made.default_queue_id }
}

const PROCESS_TEMPLATE = {
  job_configuration: { command: '{{ command }}', env: '{{ env }}' },
  variables: {
    type: 'object',
    properties: {
      command: { type: 'string' },
      env: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
}

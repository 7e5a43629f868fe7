import { randomBytes } from 'node:crypto'
import { formatTimestamp } from '../../../core/time.ts'
import { uuidV7 } from '../../../core/uuid.ts'
import type { ClaimedRun } from '../../../core/wire/execution.ts'
import type { Deployment } from '../../../core/wire/deployment.ts'
import type { JsonObject } from '../../../core/wire/common.ts'

/** Builders of what an agent is given, valid by default. */

export interface ClaimedRunOverrides {
  id?: string
  fence?: number
  parameters?: JsonObject
  job_configuration?: JsonObject
  deployment?: Partial<Deployment> | null
  run_token?: string
}

export function newUuid(): string {
  return uuidV7(Date.now(), randomBytes(10))
}

export function aClaimedRun(given: ClaimedRunOverrides = {}): ClaimedRun {
  const now = formatTimestamp(Date.now() * 1000)
  const stored = { id: given.id ?? newUuid(), created: now, updated: now }
  const deployment = given.deployment === null ? null : aDeployment(given.deployment ?? {})
  return {
    fence: given.fence ?? 1,
    run_token: given.run_token ?? 'hgr_token',
    job_configuration: given.job_configuration ?? {},
    flow: { ...stored, id: newUuid(), name: 'flow', tags: [], labels: {} },
    deployment,
    flow_run: {
      ...stored,
      name: 'brave-heron',
      flow_id: newUuid(),
      deployment_id: deployment?.id ?? null,
      deployment_version: null,
      work_queue_id: null,
      work_queue_name: 'default',
      work_pool_id: null,
      work_pool_name: 'pool',
      flow_version: null,
      parameters: given.parameters ?? {},
      idempotency_key: null,
      context: {},
      empirical_policy: {
        max_retries: 0,
        retry_delay_seconds: 0,
        retries: null,
        retry_delay: null,
        pause_keys: null,
        resuming: null,
        retry_type: null,
        infrastructure_retries: null,
      },
      tags: [],
      labels: {},
      parent_task_run_id: null,
      state_id: null,
      state_type: 'PENDING',
      state_name: 'Pending',
      state: null,
      run_count: 0,
      expected_start_time: now,
      next_scheduled_start_time: null,
      start_time: null,
      end_time: null,
      total_run_time: 0,
      estimated_run_time: 0,
      estimated_start_time_delta: 0,
      auto_scheduled: false,
      infrastructure_document_id: null,
      infrastructure_pid: null,
      created_by: null,
      job_variables: null,
    },
  }
}

function aDeployment(given: Partial<Deployment>): Deployment {
  const now = formatTimestamp(Date.now() * 1000)
  return {
    id: newUuid(),
    created: now,
    updated: now,
    name: 'deployment',
    version: null,
    description: null,
    flow_id: newUuid(),
    paused: false,
    schedules: [],
    concurrency_limit: null,
    global_concurrency_limit: null,
    concurrency_options: null,
    job_variables: {},
    parameters: {},
    tags: [],
    labels: {},
    work_queue_name: null,
    work_queue_id: null,
    work_pool_name: null,
    last_polled: null,
    parameter_openapi_schema: null,
    path: null,
    pull_steps: null,
    entrypoint: null,
    storage_document_id: null,
    infrastructure_document_id: null,
    created_by: null,
    updated_by: null,
    status: 'READY',
    enforce_parameter_schema: true,
    ...given,
  }
}

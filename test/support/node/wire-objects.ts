import { randomBytes } from 'node:crypto'
import { formatTimestamp } from '../../../core/time.ts'
import { uuidV7 } from '../../../core/uuid.ts'
import type { Deployment } from '../../../core/wire/deployment.ts'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import { DEFAULT_POLICY } from '../../../worker/domain/flow-run.ts'

/** Builders of what the API answers, valid by default. */

export function newUuid(): string {
  return uuidV7(Date.now(), randomBytes(10))
}

export function aFlowRun(given: Partial<FlowRun> = {}): FlowRun {
  const now = formatTimestamp(Date.now() * 1000)
  return {
    id: newUuid(),
    created: now,
    updated: now,
    name: 'brave-heron',
    flow_id: newUuid(),
    deployment_id: null,
    deployment_version: null,
    work_queue_id: null,
    work_queue_name: null,
    work_pool_id: null,
    work_pool_name: null,
    flow_version: null,
    parameters: {},
    idempotency_key: null,
    context: {},
    empirical_policy: { ...DEFAULT_POLICY, pause_keys: [] },
    tags: [],
    labels: {},
    parent_task_run_id: null,
    state_id: null,
    state_type: null,
    state_name: null,
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
    job_variables: {},
    concurrency_key: null,
    start_before: null,
    ...given,
  }
}

export function aDeployment(given: Partial<Deployment> = {}): Deployment {
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
    concurrency_key: null,
    max_waiting_runs: null,
    start_within_seconds: null,
    signature: null,
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
    status: 'NOT_READY',
    enforce_parameter_schema: true,
    ...given,
  }
}

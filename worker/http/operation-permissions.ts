import type { Permission } from '#domain/permissions.ts'

/** Reads that are POSTs, since filters are bodies. */
const READ =
  /\/(filter|count|paginate|rows|facets|histogram|history|lateness|validate|preview|concurrency_status|counts|count-[\w-]+|next-runs|count-by\/\{countable\})$/

/**
 * What the code inside a run does beyond reading: starts flow runs and waits for them, reports states, task runs, logs and
 * events. So may who may run something at all; a run token may a little more (`run-rights`).
 */
export const INSIDE_RUNS = [
  // A script that runs by itself makes its flow known first.
  'post /flows/',
  'post /flow_runs/',
  'patch /flow_runs/{id}',
  'post /flow_runs/{id}/set_state',
  'post /flow_runs/{id}/resume',
  'patch /flow_runs/{id}/labels',
  // Of any run of the workspace: send_input() goes to others.
  'post /flow_runs/{id}/input',
  'delete /flow_runs/{id}/input/{key}',
  'post /deployments/{id}/create_flow_run',
  'post /deployments/{id}/create_flow_runs',
  'post /task_runs/',
  'patch /task_runs/{id}',
  'post /task_runs/{id}/set_state',
  // Slots that its code, or its tasks by their tags, hold while they work.
  'post /v2/concurrency_limits/increment',
  'post /v2/concurrency_limits/increment-with-lease',
  'post /v2/concurrency_limits/decrement',
  'post /v2/concurrency_limits/decrement-with-lease',
  'post /v2/concurrency_limits/leases/{lease_id}/renew',
  'post /concurrency_limits/increment',
  'post /concurrency_limits/decrement',
  'post /logs/',
  'post /events',
  'get /events/in',
  'post /artifacts/',
  'patch /artifacts/{id}',
] as const

const RUN: ReadonlySet<string> = new Set([
  ...INSIDE_RUNS,
  'post /flow_runs/bulk_set_state',
  'post /flow_runs/bulk_cancel',
  'post /flow_runs/bulk_retry',
  'post /flow_runs/bulk_pause',
  'post /jobs/{id}/cancel',
  'post /deployments/{id}/create_flow_run/bulk',
  'post /deployments/{id}/schedule',
  'post /deployments/{id}/backfill',
  'get /task_runs/subscriptions/scheduled',
  'put /saved_searches/',
])

const SERVE: ReadonlySet<string> = new Set([
  'post /work_pools/{name}/claim',
  'post /work_pools/{name}/accept',
  'post /work_pools/{name}/renew',
  'post /work_pools/{name}/finish',
  'post /agents/key',
  'get /work_pools/{name}/doorbell',
  'post /work_pools/{name}/get_scheduled_flow_runs',
  'post /work_pools/{work_pool_name}/workers/heartbeat',
  'post /work_queues/{id}/get_runs',
  'post /deployments/get_scheduled_flow_runs',
])

const MANAGE: ReadonlySet<string> = new Set([
  'put /admin/storage',
  'delete /admin/storage',
  'post /diagnostics',
  'get /usage',
])
/** Who may do what, and with which keys: reading that is managing too. */
const MANAGED = /^\/(keys|enrolments|members|service_accounts|workspace)(\/|$)/

const AUDIT = /^\/audit(\/|$)/

/** Beside the verbs of SERVE with a pool's name: what Headgate's agent asks. */
const OF_AGENTS: ReadonlySet<string> = new Set([
  'get /work_pools/{name}',
  'post /logs/',
  'post /agents/key',
])

/**
 * The permission that an operation needs. What is not named here changes the configuration, so that a new operation is open to
 * nobody by oversight.
 * @param path as the route was declared: `/flow_runs/{id}`
 */
export function permissionOf(method: string, path: string): Permission {
  const operation = `${method} ${path}`
  if (AUDIT.test(path)) {
    return 'audit'
  }
  if (MANAGE.has(operation) || MANAGED.test(path)) {
    return 'manage'
  }
  if (SERVE.has(operation)) {
    return 'serve'
  }
  if (RUN.has(operation)) {
    return 'run'
  }
  return method === 'get' || (method === 'post' && READ.test(path)) ? 'see' : 'write'
}

/** Whether a key of an agent may do this at all; which pools it serves is looked at besides. */
export function agentMay(method: string, path: string): boolean {
  const operation = `${method} ${path}`
  return (
    OF_AGENTS.has(operation) || (SERVE.has(operation) && path.startsWith('/work_pools/{name}/'))
  )
}

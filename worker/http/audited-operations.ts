import { INSIDE_RUNS, permissionOf } from './operation-permissions.ts'

/**
 * What changes something and leaves no entry in the audit log. All other operations that are no reads leave one for each object
 * that they change (`test/http/audit-operations.test.ts`); a new one must do so, or stand here with its reason.
 */
export const UNAUDITED: ReadonlySet<string> = new Set([
  // Flow runs are made by the million, and tell themselves who made them; so do the things that they report.
  'post /flow_runs/',
  'patch /flow_runs/{id}',
  'patch /flow_runs/{id}/labels',
  'post /flow_runs/{id}/input',
  'delete /flow_runs/{id}/input/{key}',
  'post /deployments/{id}/create_flow_run',
  'post /deployments/{id}/create_flow_run/bulk',
  'post /deployments/{id}/create_flow_runs',
  'post /deployments/{id}/schedule',
  'post /task_runs/',
  'patch /task_runs/{id}',
  'delete /task_runs/{id}',
  'post /task_runs/{id}/set_state',
  'post /logs/',
  'post /events',
  'post /artifacts/',
  'patch /artifacts/{id}',
  // Slots that running code takes and gives back.
  'post /v2/concurrency_limits/increment',
  'post /v2/concurrency_limits/increment-with-lease',
  'post /v2/concurrency_limits/decrement',
  'post /v2/concurrency_limits/decrement-with-lease',
  'post /v2/concurrency_limits/leases/{lease_id}/renew',
  'post /concurrency_limits/increment',
  'post /concurrency_limits/decrement',
  // Views of lists.
  'put /saved_searches/',
  'delete /saved_searches/{id}',
  // Makes the protected block types what they are in a new workspace.
  'post /block_types/install_system_block_types',
])

/** Of INSIDE_RUNS those that leave an entry when a person or a key does them; the code of a run does them all the time. */
const OF_RUNS: ReadonlySet<string> = new Set(INSIDE_RUNS)

/**
 * Whether an operation leaves an entry, which each change that it makes writes down by the trail of its handle.
 * @param path as the route was declared: `/flow_runs/{id}`
 */
export function isAudited(method: string, path: string, caller: 'user' | 'key' | 'run'): boolean {
  const operation = `${method} ${path}`
  const permission = permissionOf(method, path)
  const isRead = method === 'get' || permission === 'see' || permission === 'audit'
  return (
    !isRead &&
    permission !== 'serve' &&
    !UNAUDITED.has(operation) &&
    !(caller === 'run' && OF_RUNS.has(operation))
  )
}

import { permissionOf } from './operation-permissions.ts'

/**
 * What the code inside a run may do with its run token, beyond reading: start flow runs and wait for them, and report
 * states, task runs, logs and events. It may configure nothing, delete nothing and claim nothing. That a run proposes
 * states of its own only while its fence is current is judged by its home.
 */
const WRITES: ReadonlySet<string> = new Set([
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
  // Block.save() in a flow: what there is of a class, then the document.
  'post /block_types/',
  'patch /block_types/{id}',
  'post /block_schemas/',
  'post /block_documents/',
  'patch /block_documents/{id}',
  // Variable.set() and Variable.unset() in a flow.
  'post /variables/',
  'patch /variables/{id}',
  'patch /variables/name/{name}',
  'delete /variables/name/{name}',
])

/** @param path as the route was declared: `/flow_runs/{id}` */
export function runMay(method: string, path: string): boolean {
  return permissionOf(method, path) === 'see' || WRITES.has(`${method} ${path}`)
}

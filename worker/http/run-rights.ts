import { INSIDE_RUNS, permissionOf } from './operation-permissions.ts'

/**
 * What the code inside a run may do with its run token, beyond reading. It may configure nothing else, delete nothing but
 * inputs and variables, and claim nothing. That a run proposes states of its own only while its fence is current is judged by
 * its home.
 */
const WRITES: ReadonlySet<string> = new Set([
  ...INSIDE_RUNS,
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

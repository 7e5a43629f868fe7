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

/**
 * Which flow run the path may name: `any` that a viewer sees; one `within` the token's reach, which is its own and those that came
 * of it; or `kin`, one within reach or one that it came of itself, since who is sent an input answers with one. Routes whose bodies
 * name runs judge them by the same rule (`run-reach`).
 */
export function reachOf(method: string, path: string): 'any' | 'within' | 'kin' {
  if (!path.startsWith('/flow_runs/{id}') || permissionOf(method, path) === 'see') {
    return 'any'
  }
  return `${method} ${path}` === 'post /flow_runs/{id}/input' ? 'kin' : 'within'
}

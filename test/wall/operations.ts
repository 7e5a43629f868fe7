import type { Route } from '../support/routes.ts'

/** WebSockets have their own test. */
export function isSocket({ path, operation }: Route): boolean {
  return '101' in operation.responses || path.endsWith('/doorbell')
}

/** About whoever holds the key, wherever that is good: no workspace has a say in it. */
export function isOfHolder({ path }: Route): boolean {
  return /^\/(me|accounts)(\/|$)/.test(path)
}

/** A change of many by a filter, which deletes what others need. */
const BULK = /\/bulk_\w+$/
const READ =
  /\/(filter|count|paginate|rows|facets|histogram|history|lateness|count-by\/\{countable\})$/

export function isBulk({ path }: Route): boolean {
  return BULK.test(path)
}

/** Changes the workspace by what the request says, so that what it says may be read there afterwards. */
export function isWrite({ method, path }: Route): boolean {
  return method !== 'get' && method !== 'delete' && !READ.test(path) && !BULK.test(path)
}

/** Makes something under a name that the request chooses: afterwards that name is the caller's own. */
function isMaking({ method, path }: Route): boolean {
  return (
    method === 'put' || (method === 'post' && /^\/(v2\/)?\w+\/?$|\/queues$|heartbeat$/.test(path))
  )
}

/**
 * What another's ids are tried on first is what keeps none of them: reads, bulk changes, deletions; then writes; then what
 * makes things.
 */
export function byTrace(a: Route, b: Route): number {
  return trace(a) - trace(b)
}

function trace(route: Route): number {
  return isMaking(route) ? 2 : Number(isWrite(route))
}

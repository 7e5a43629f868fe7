import type { HomeKey } from '#core/flow-run-id.ts'
import { DomainError } from '#domain/errors.ts'
import { findHome } from '#storage/homes.ts'
import { findWorkPoolKey } from '#storage/work-pools.ts'
import { briefly } from '#storage/briefly.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { HomeContext, WorkPool } from '../durable/work-pool.ts'
import { homeContext } from './configure-home.ts'
import { homeStub, type Remote } from './stubs.ts'

export interface WorkPoolHome {
  name: string
  context: HomeContext
  stub: Remote<WorkPool>
}

/** A pool that was deleted, or made again under its name, is noticed after this time; its home refuses claims at once. */
const FRESH_MS = 5000
const MAX_KNOWN = 10_000
const known = new Map<string, { key: HomeKey; read: number }>()

/**
 * The home of a pool by its name. The name is looked up in the store now and then; while the store is away, what was read
 * last still serves, so that D1 being down stops no run.
 */
export async function workPoolHome(workspace: Workspace, name: string): Promise<WorkPoolHome> {
  const key = await homeKey(workspace, name)
  if (key === undefined) {
    throw new DomainError('not_found', `Work pool "${name}" not found.`)
  }
  return { name, context: homeContext(workspace, key), stub: homeStub(workspace, key) }
}

/**
 * The home of the pool that an agent serves. Undefined: that pool was deleted, though another may have its name.
 * @param id the pool's, as the agent knows it; null: whichever has the name
 */
export async function servedHome(
  workspace: Workspace,
  name: string,
  id: string | null,
): Promise<WorkPoolHome | undefined> {
  const key = await homeKey(workspace, name)
  if (id === null) {
    return await workPoolHome(workspace, name)
  }
  const home = key === undefined ? undefined : await findHome(workspace, key)
  return home?.work_pool_id === id ? await workPoolHome(workspace, name) : undefined
}

/**
 * For who may only know of some pools: any other is as one that never existed.
 * @throws DomainError `not_found` when none of these pools has the name
 */
export async function requireServed(
  workspace: Workspace,
  name: string,
  poolIds: readonly string[],
): Promise<void> {
  const key = await homeKey(workspace, name)
  const home = key === undefined ? undefined : await findHome(workspace, key)
  const id = home?.work_pool_id ?? undefined
  if (id === undefined || !poolIds.includes(id)) {
    throw new DomainError('not_found', `Work pool "${name}" not found.`)
  }
}

/** Its home says that the pool is deleted: the next look asks the store. */
export function forgetWorkPool(workspace: Workspace, name: string): void {
  known.delete(`${workspace.id}:${name}`)
}

async function homeKey(workspace: Workspace, name: string): Promise<HomeKey | undefined> {
  const cacheKey = `${workspace.id}:${name}`
  const cached = known.get(cacheKey)
  if (cached !== undefined && Date.now() - cached.read < FRESH_MS) {
    return cached.key
  }
  try {
    const asked = findWorkPoolKey(workspace, name)
    const pool = await (cached === undefined ? asked : briefly(workspace, asked))
    remember(cacheKey, pool?.home_key)
    return pool?.home_key
  } catch (error) {
    if (cached !== undefined) {
      remember(cacheKey, cached.key)
      return cached.key
    }
    throw error
  }
}

function remember(cacheKey: string, key: HomeKey | undefined): void {
  known.delete(cacheKey)
  if (key === undefined) {
    return
  }
  const oldest = known.keys().next()
  if (known.size >= MAX_KNOWN && oldest.done !== true) {
    known.delete(oldest.value)
  }
  known.set(cacheKey, { key, read: Date.now() })
}

import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import { home } from './schema/access.ts'
import type { Workspace } from './workspace.ts'

export interface Home {
  key: HomeKey
  /** Null for the homes of runs without a pool. */
  work_pool_id: string | null
}

/** Homes are never deleted and never change, so that a known one needs no look-up, and is known while D1 is away. */
const known = new Map<string, Home>()
const poolless = new Map<string, HomeKey[]>()
/** Beyond this many the oldest are forgotten; 100,000 take some 20 MB of an isolate's 128. */
const MAX_KNOWN = 100_000

/** Finds the home with that key; undefined when the workspace has none. */
export async function findHome(workspace: Workspace, key: HomeKey): Promise<Home | undefined> {
  const name = `${workspace.id}:${key}`
  const cached = known.get(name)
  if (cached !== undefined) {
    return cached
  }
  const [row] = await workspace.store
    .select({ key: home.key, work_pool_id: home.work_pool_id })
    .from(home)
    .where(and(eq(home.workspace_id, workspace.id), eq(home.key, key)))
  if (row !== undefined) {
    remember(known, name, row)
  }
  return row
}

/** Mints a home: a random key of 32 bits, unique in the workspace. */
export async function insertHome(
  workspace: Workspace,
  workPoolId: string | null,
  now: Micros,
): Promise<HomeKey> {
  for (;;) {
    const key = newHomeKey()
    // Once, but for a key that is taken by chance.
    // oxlint-disable-next-line no-await-in-loop
    const inserted = await workspace.store
      .insert(home)
      .values({
        workspace_id: workspace.id,
        key,
        created: formatTimestamp(now),
        work_pool_id: workPoolId,
      })
      .onConflictDoNothing()
      .returning({ key: home.key })
    if (inserted.length > 0) {
      return key
    }
  }
}

/** All homes that the workspace has or had. */
export async function listHomes(workspace: Workspace): Promise<HomeKey[]> {
  const rows = await workspace.store
    .select({ key: home.key })
    .from(home)
    .where(eq(home.workspace_id, workspace.id))
    .orderBy(home.key)
  return rows.map(({ key }) => key)
}

/** The homes of all pools that the workspace has or had. */
export async function listPoolHomes(workspace: Workspace): Promise<HomeKey[]> {
  const rows = await workspace.store
    .select({ key: home.key })
    .from(home)
    .where(and(eq(home.workspace_id, workspace.id), isNotNull(home.work_pool_id)))
    .orderBy(home.key)
  return rows.map(({ key }) => key)
}

/** One of the workspace's homes for runs without a pool, by a hash of the id. */
export async function pickPoollessHome(workspace: Workspace, id: string): Promise<HomeKey> {
  const keys = poolless.get(workspace.id) ?? (await listPoollessHomes(workspace))
  const key = keys[hash(id) % keys.length]
  if (key === undefined) {
    throw new Error(`workspace ${workspace.id} has no home for runs without a pool`)
  }
  return key
}

async function listPoollessHomes(workspace: Workspace): Promise<HomeKey[]> {
  const rows = await workspace.store
    .select({ key: home.key })
    .from(home)
    .where(and(eq(home.workspace_id, workspace.id), isNull(home.work_pool_id)))
    .orderBy(home.key)
  const keys = rows.map((row) => row.key)
  if (keys.length > 0) {
    remember(poolless, workspace.id, keys)
    for (const key of keys) {
      remember(known, `${workspace.id}:${key}`, { key, work_pool_id: null })
    }
  }
  return keys
}

function remember<T>(cache: Map<string, T>, name: string, value: T): void {
  if (cache.size >= MAX_KNOWN) {
    const oldest = cache.keys().next()
    if (oldest.done !== true) {
      cache.delete(oldest.value)
    }
  }
  cache.set(name, value)
}

/** 32 random bits as 8 hexadecimal digits. */
export function newHomeKey(): HomeKey {
  const number = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
  return number.toString(16).padStart(8, '0')
}

/** FNV-1a. */
function hash(text: string): number {
  let sum = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193) >>> 0
  }
  return sum
}

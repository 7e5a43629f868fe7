import { and, desc, eq, isNull, ne, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { formatTimestamp, type Micros } from '#core/time.ts'
import { decrypt, encrypt, type NamedKey } from './encryption.ts'
import { newId } from './new-id.ts'
import { workspaceKey } from './schema/secrets.ts'
import { wrappingKeys } from './worker-secrets.ts'
import type { Bindings, Workspace } from './workspace.ts'

/** The keys of a workspace, unwrapped. */
interface WorkspaceKeys {
  /** What seals; undefined while the workspace has sealed nothing. */
  current: string | undefined
  /** By id. One that no known secret unwraps is not there. */
  open: ReadonlyMap<string, CryptoKey>
}

interface Known extends WorkspaceKeys {
  read: Micros
}

/** How soon a new key is used everywhere. */
export const KEYS_FRESH_MICROS = 30_000_000
/** An entry is under 1 KB. */
const MAX_KNOWN = 1000
const KEY_BYTES = 32

/** The keys of workspaces that an isolate has opened: unwrapped, they live in its memory alone. */
export class KeyRing {
  readonly #known = new Map<string, Known>()

  /** @param holding a key that must be among them; what is remembered is not enough without it */
  async read(workspace: Workspace, holding?: string): Promise<WorkspaceKeys> {
    const now = Date.now() * 1000
    const before = this.#known.get(workspace.id)
    const isFresh = before !== undefined && Math.abs(now - before.read) < KEYS_FRESH_MICROS
    if (isFresh && (holding === undefined || before.open.has(holding))) {
      return before
    }
    const rows = await workspace.store
      .select()
      .from(workspaceKey)
      .where(eq(workspaceKey.workspace_id, workspace.id))
      .orderBy(desc(workspaceKey.created), desc(workspaceKey.id))
    const open = new Map<string, CryptoKey>()
    for (const row of rows) {
      // One that was opened stays open: during a change of the secret another isolate may have wrapped it anew already.
      const key = before?.open.get(row.id) ?? (await unwrap(workspace, row))
      if (key !== undefined) {
        open.set(row.id, key)
      }
    }
    const current = rows.find((row) => row.retired === null)?.id
    return this.#remember(workspace, { current, open, read: now })
  }

  /** The key to seal with; made when the workspace has none. */
  async current(workspace: Workspace): Promise<NamedKey> {
    let keys = await this.read(workspace)
    if (keys.current === undefined) {
      const now = Date.now() * 1000
      const isFirst = sql`NOT EXISTS (
        SELECT 1 FROM workspace_key WHERE workspace_id = ${workspace.id} AND retired IS NULL)`
      await insertKey(workspace, newId(now), now, isFirst)
      this.#known.delete(workspace.id)
      keys = await this.read(workspace)
    }
    const id = keys.current ?? ''
    const key = keys.open.get(id)
    if (key === undefined) {
      throw new Error(
        `the secret that wraps key ${id} of workspace ${workspace.id} is not known; add it to HEADGATE_PREVIOUS_SECRETS`,
      )
    }
    return { id, key }
  }

  /** Makes a key, which seals from now on, and retires the others. Idempotent by the id. */
  async rotate(workspace: Workspace, id: string, now: Micros): Promise<void> {
    await insertKey(workspace, id, now, sql`TRUE`)
    await workspace.store
      .update(workspaceKey)
      .set({ retired: formatTimestamp(now) })
      .where(
        and(
          eq(workspaceKey.workspace_id, workspace.id),
          ne(workspaceKey.id, id),
          isNull(workspaceKey.retired),
        ),
      )
    this.#known.delete(workspace.id)
  }

  #remember(workspace: Workspace, keys: Known): Known {
    this.#known.delete(workspace.id)
    if (this.#known.size >= MAX_KNOWN) {
      const oldest = this.#known.keys().next()
      if (oldest.done !== true) {
        this.#known.delete(oldest.value)
      }
    }
    this.#known.set(workspace.id, keys)
    return keys
  }
}

/** The isolate's. */
export const keyRing = new KeyRing()

async function insertKey(
  workspace: Workspace,
  id: string,
  now: Micros,
  condition: ReturnType<typeof sql>,
): Promise<void> {
  const raw = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
  const [wrapping] = await wrappingKeys(workspace.bindings)
  const wrapped = await encrypt(wrapping.key, labelOf(workspace.id, id), raw)
  await workspace.store.run(sql`INSERT OR IGNORE INTO workspace_key
    (workspace_id, id, created, wrapped, wrapped_by, retired)
    SELECT ${workspace.id}, ${id}, ${formatTimestamp(now)}, ${wrapped}, ${wrapping.id}, NULL
    WHERE ${condition}`)
}

type Row = typeof workspaceKey.$inferSelect

/** Opens a key, and wraps it by the present secret when it was wrapped by a former one. */
async function unwrap(workspace: Workspace, row: Row): Promise<CryptoKey | undefined> {
  const raw = await rewrapKey(workspace.bindings, workspace.store, row)
  return raw === undefined
    ? undefined
    : await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

/** @returns the key itself; undefined when no known secret opens it */
export async function rewrapKey(
  bindings: Bindings,
  store: DrizzleD1Database,
  row: Row,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const wrapping = await wrappingKeys(bindings)
  const used = wrapping.find((one) => one.id === row.wrapped_by)
  if (used === undefined) {
    return undefined
  }
  const label = labelOf(row.workspace_id, row.id)
  const raw = await decrypt(used.key, label, row.wrapped)
  const [present] = wrapping
  if (used !== present) {
    await store
      .update(workspaceKey)
      .set({ wrapped: await encrypt(present.key, label, raw), wrapped_by: present.id })
      .where(
        and(
          eq(workspaceKey.workspace_id, row.workspace_id),
          eq(workspaceKey.id, row.id),
          eq(workspaceKey.wrapped, row.wrapped),
        ),
      )
  }
  return raw
}

/** A wrapped key is of no use in another row, nor in another workspace's. */
function labelOf(workspaceId: string, id: string): string {
  return `key ${id} of workspace ${workspaceId}`
}

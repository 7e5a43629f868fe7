import { formatTimestamp, type Micros } from '#core/time.ts'
import { findWorkspaceRow } from '#storage/access.ts'
import { listAccountWorkspaces } from '#storage/accounts.ts'
import { areWorkspacesUnderWay, type NewDeletion } from '#storage/deletions.ts'
import {
  ACCOUNT_TABLES,
  endAccess,
  eraseRows,
  WORKSPACE_TABLES,
  type OwnerKind,
} from '#storage/erase-workspace.ts'
import { listHomes } from '#storage/homes.ts'
import { openWorkspace, type Bindings, type Workspace } from '#storage/workspace.ts'
import { eraseStubs } from './erase-stubs.ts'
import { objectContext, workspaceOf, type ObjectContext } from './object-context.ts'
import { objectsOf } from './stubs.ts'

/** What a deletion has to do yet; kept after each step, which may be repeated. */
export interface DeletionLeft {
  /** All that are to be deleted, known before the first of them is touched. */
  workspaces: ObjectContext[]
  part: 'list' | 'access' | 'objects' | 'rows' | 'account'
  /** Everything is gone through twice: what was under way the first time may have written something. */
  round: 1 | 2
  /** The workspace, and in it the first object, or the table, that is next. */
  workspace: number
  next: number
}

export interface DeletionStep {
  /** Null: nothing is left. */
  left: DeletionLeft | null
  objects: number
  rows: number
  /** How long the next step waits, and why. */
  afterMs: number
  message: string | null
}

const AT_ONCE = 20
const ROWS_AT_ONCE = 500
/** Statements of one step. */
const STATEMENTS = 40
/**
 * Until the second round: by then no isolate takes a key that it knew for good, which is so for 15 minutes while it can't ask the
 * store, and whatever was under way has come to its end.
 */
const SETTLED_MS = 16 * 60_000
const LOOK_AGAIN_MS = 10_000

/** What to begin with. */
export const FIRST: DeletionLeft = {
  workspaces: [],
  part: 'list',
  round: 1,
  workspace: 0,
  next: 0,
}

/** Takes one step of a deletion; it may be repeated. Throws when it can't be done now. */
export async function takeDeletionStep(
  bindings: Bindings,
  deletion: NewDeletion,
  left: DeletionLeft,
  now: Micros,
): Promise<DeletionStep> {
  switch (left.part) {
    case 'list':
      return step({
        ...left,
        part: 'access',
        workspaces: await withPresent(bindings, deletion, left.workspaces),
      })
    case 'access': {
      const handles = left.workspaces.map((context) => workspaceOf(bindings, context))
      const isDone = await endAccess(bindings, deletion, handles)
      return step(isDone ? enter({ ...left, workspace: 0 }, deletion) : { ...left, part: 'list' })
    }
    case 'objects':
      return await eraseObjects(current(bindings, left), left)
    case 'rows': {
      const { id, database } = current(bindings, left)
      const stores = [...new Set([database, bindings.DB])]
      // The homes tell the second round where objects are.
      const tables = left.round === 1 ? WORKSPACE_TABLES.slice(0, -1) : WORKSPACE_TABLES
      const owner = { kind: 'workspace' as const, id }
      const { erased, next } = await eraseTables(tables, owner, stores, left.next)
      return next < tables.length
        ? step({ ...left, next }, { rows: erased })
        : afterWorkspace(deletion, left, erased, now)
    }
    default: {
      if (await areWorkspacesUnderWay(bindings.DB, deletion)) {
        const message = 'Workspaces of the account are still being deleted.'
        return step(left, { afterMs: LOOK_AGAIN_MS, message })
      }
      const owner = { kind: 'account' as const, id: deletion.account_id }
      const { erased, next } = await eraseTables(ACCOUNT_TABLES, owner, [bindings.DB], left.next)
      return step(next < ACCOUNT_TABLES.length ? { ...left, next } : null, { rows: erased })
    }
  }
}

/** In words, for who asks why it does not go on. */
export function describePart({ part, workspace, workspaces, next }: DeletionLeft): string {
  const id = workspaces[workspace]?.workspace_id ?? ''
  switch (part) {
    case 'list':
      return 'to find the workspaces'
    case 'access':
      return 'to end the access'
    case 'objects':
      return `to erase the objects of workspace ${id} from number ${next} on`
    case 'rows':
      return `to delete the rows of workspace ${id} from table number ${next} on`
    default:
      return 'to delete the rows of the account'
  }
}

/** Those that were found before, and those that are there now. */
async function withPresent(
  bindings: Bindings,
  { account_id, workspace_id }: NewDeletion,
  before: readonly ObjectContext[],
): Promise<ObjectContext[]> {
  const ids =
    workspace_id === null
      ? (await listAccountWorkspaces(bindings.DB, account_id)).map(({ id }) => id)
      : [workspace_id]
  const known = new Set(before.map((context) => context.workspace_id))
  const rows = await Promise.all(
    ids.filter((id) => !known.has(id)).map(async (id) => await findWorkspaceRow(bindings.DB, id)),
  )
  return [
    ...before,
    ...rows.flatMap((row) =>
      row === undefined ? [] : [objectContext(openWorkspace(bindings, row))],
    ),
  ]
}

async function eraseObjects(workspace: Workspace, left: DeletionLeft): Promise<DeletionStep> {
  const stubs = objectsOf(workspace, await listHomes(workspace))
  const some = stubs.slice(left.next, left.next + AT_ONCE)
  await eraseStubs(some)
  const next = left.next + some.length
  return step(next < stubs.length ? { ...left, next } : { ...left, part: 'rows', next: 0 }, {
    objects: left.round === 1 ? some.length : 0,
  })
}

/** Deletes rows table by table, as many as a step may. */
async function eraseTables(
  tables: typeof WORKSPACE_TABLES,
  owner: { kind: OwnerKind; id: string },
  stores: readonly D1Database[],
  from: number,
): Promise<{ erased: number; next: number }> {
  let erased = 0
  let next = from
  for (let statements = 0; statements < STATEMENTS; statements += stores.length) {
    const table = tables[next]
    if (table === undefined) {
      break
    }
    const counts = await Promise.all(
      stores.map(async (store) => await eraseRows(store, table, owner, ROWS_AT_ONCE)),
    )
    erased += counts.reduce((sum, count) => sum + count, 0)
    next += Math.max(...counts) < ROWS_AT_ONCE ? 1 : 0
  }
  return { erased, next }
}

function afterWorkspace(
  deletion: NewDeletion,
  left: DeletionLeft,
  rows: number,
  now: Micros,
): DeletionStep {
  const following: DeletionLeft = {
    ...left,
    part: 'objects',
    workspace: left.workspace + 1,
    next: 0,
  }
  if (following.workspace < left.workspaces.length) {
    return step(following, { rows })
  }
  if (left.round === 2) {
    return step(deletion.workspace_id === null ? { ...left, part: 'account', next: 0 } : null, {
      rows,
    })
  }
  const at = formatTimestamp(now + SETTLED_MS * 1000)
  const message = `All is deleted; it is looked over once more at ${at}, when nothing that was under way can write any more.`
  return step({ ...following, round: 2, workspace: 0 }, { rows, afterMs: SETTLED_MS, message })
}

/** Of an account without workspaces only the account itself is left. */
function enter(left: DeletionLeft, deletion: NewDeletion): DeletionLeft | null {
  if (left.workspaces.length > 0) {
    return { ...left, part: 'objects', next: 0 }
  }
  return deletion.workspace_id === null ? { ...left, part: 'account', next: 0 } : null
}

function current(bindings: Bindings, { workspaces, workspace }: DeletionLeft): Workspace {
  const context = workspaces[workspace]
  if (context === undefined) {
    throw new Error(`the deletion has no workspace of the number ${workspace}`)
  }
  return workspaceOf(bindings, context)
}

function step(left: DeletionLeft | null, more: Partial<DeletionStep> = {}): DeletionStep {
  return { objects: 0, rows: 0, afterMs: 0, message: null, ...more, left }
}

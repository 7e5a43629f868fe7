import type { AccountUsage, MyAccount } from '#core/wire/account.ts'
import type { Workspace as WorkspaceView } from '#core/wire/workspace.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import { audited, type AuditTrail } from '#domain/audit.ts'
import { recordsOf } from './audit.ts'
import { toHandle } from './my-workspaces.ts'
import type { Workspace } from './workspace.ts'

// Accounts and their workspaces in the control store. Takes the database: an account is no workspace.

type AccountRow = Omit<MyAccount, 'account_handle'>

const MINE = `SELECT account.id AS account_id, account.name AS account_name, account.created, member.role
  FROM account_member AS member JOIN account ON account.id = member.account_id WHERE member.user_id = ?1`

/** Those that a person belongs to. */
export async function listMyAccounts(db: D1Database, userId: string): Promise<MyAccount[]> {
  const { results } = await db
    .prepare(`${MINE} ORDER BY account.name, account.id`)
    .bind(userId)
    .all<AccountRow>()
  return results.map(toMine)
}

/** The account as that person sees it; undefined where it does not belong to it. */
export async function findMyAccount(
  db: D1Database,
  userId: string,
  accountId: string,
): Promise<MyAccount | undefined> {
  const row = await db
    .prepare(`${MINE} AND account.id = ?2`)
    .bind(userId, accountId)
    .first<AccountRow>()
  return row === null ? undefined : toMine(row)
}

export async function renameAccount(
  db: D1Database,
  { account_id: id, account_name: before }: MyAccount,
  name: string,
  trail: AuditTrail,
): Promise<void> {
  await db.batch([
    db
      .prepare('UPDATE account SET name = ?, updated = ? WHERE id = ?')
      .bind(name, formatTimestamp(trail.now), id),
    ...recordsOf(db, trail, audited('account', { id, name: before }, { id, name })),
  ])
}

const WORKSPACES = 'SELECT id, created, updated, account_id, name FROM workspace'
type WorkspaceRow = Omit<WorkspaceView, 'handle'>

/** All of an account. */
export async function listAccountWorkspaces(
  db: D1Database,
  accountId: string,
): Promise<WorkspaceView[]> {
  const { results } = await db
    .prepare(`${WORKSPACES} WHERE account_id = ? ORDER BY name`)
    .bind(accountId)
    .all<WorkspaceRow>()
  return results.map(toView)
}

export async function findWorkspaceView({
  bindings,
  id,
}: Workspace): Promise<WorkspaceView | undefined> {
  const row = await bindings.DB.prepare(`${WORKSPACES} WHERE id = ?`).bind(id).first<WorkspaceRow>()
  return row === null ? undefined : toView(row)
}

const COUNTS = ['flow_runs', 'task_runs', 'events', 'log_bytes']
const sums = COUNTS.map((name) => `coalesce(sum(day.${name}), 0) AS ${name}`).join(', ')

/** What an account and its workspaces have used in a month, which is told now and then. */
export async function readAccountUsage(
  db: D1Database,
  accountId: string,
  month: string,
): Promise<AccountUsage> {
  const from = `${month}-01`
  const [all, workspaces] = await db.batch([
    db
      .prepare(`SELECT ${sums} FROM usage_month AS day WHERE day.account_id = ? AND day.month = ?`)
      .bind(accountId, month),
    db
      .prepare(
        `SELECT workspace.id, workspace.name, ${sums} FROM workspace
         LEFT JOIN usage_day AS day ON day.workspace_id = workspace.id AND day.day >= ?
         WHERE workspace.account_id = ? GROUP BY workspace.id ORDER BY workspace.name`,
      )
      .bind(from, accountId),
  ])
  const [used] = (all?.results ?? []) as Omit<AccountUsage, 'from' | 'workspaces'>[]
  return {
    from,
    ...(used ?? { flow_runs: 0, task_runs: 0, events: 0, log_bytes: 0 }),
    workspaces: (workspaces?.results ?? []) as AccountUsage['workspaces'],
  }
}

/** False where the account has another workspace of that name. */
export async function renameWorkspace(
  { bindings: { DB }, id, name: before, trail }: Workspace,
  name: string,
  now: Micros,
): Promise<boolean> {
  try {
    await DB.batch([
      DB.prepare('UPDATE workspace SET name = ?, updated = ? WHERE id = ?').bind(
        name,
        formatTimestamp(now),
        id,
      ),
      ...recordsOf(DB, trail, audited('workspace', { id, name: before }, { id, name })),
    ])
    return true
  } catch (error) {
    if (isNameTaken(error)) {
      return false
    }
    throw error
  }
}

/** Whether the store refused a workspace for its name. */
export function isNameTaken(error: unknown): boolean {
  return /UNIQUE constraint failed: workspace\.account_id, workspace\.name/.test(String(error))
}

function toMine(row: AccountRow): MyAccount {
  return { ...row, account_handle: toHandle(row.account_name) }
}

function toView(row: WorkspaceRow): WorkspaceView {
  return { ...row, handle: toHandle(row.name) }
}

import { formatTimestamp, type Micros } from '#core/time.ts'
import {
  planOf,
  type LimitsChange,
  type Plan,
  type PlanChoice,
  type PlanName,
} from '#domain/plans.ts'
import { COUNTED, dayOf, monthOf, NOTHING, type Counts, type Standing } from '#domain/usage.ts'
import { serviceChoice } from './service-plan.ts'
import type { Bindings, Workspace } from './workspace.ts'

// Usage and plans lie in the control store, also where a workspace has another one.

const NAMES = COUNTED.join(', ')
const of = (text: (name: string) => string) => COUNTED.map(text).join(', ')

/** What has come since the object told last; nothing of a workspace that is being deleted. */
const NEWS = `SELECT ${of((name) => `?${COUNTED.indexOf(name as keyof Counts) + 3} - coalesce(told.${name}, 0) AS ${name}`)}
  FROM (SELECT 1) LEFT JOIN usage_source AS told ON told.workspace_id = ?1 AND told.source = ?2
  WHERE NOT EXISTS (SELECT 1 FROM erased_workspace WHERE workspace_id = ?1)`
/** Where there is nothing new no row is written. */
const IS_NEWS = `(${NAMES}) <> (${COUNTED.map(() => 0).join(', ')})`
const ADD = of((name) => `${name} = ${name} + excluded.${name}`)
const DIFFERS = COUNTED.map((name) => `excluded.${name} <> usage_source.${name}`).join(' OR ')

interface AccountRow extends Counts {
  plan: string | null
  limits: string | null
}

const STANDING = `SELECT account.plan, account.limits, ${of((name) => `coalesce(used.${name}, 0) AS ${name}`)}
  FROM account LEFT JOIN usage_month AS used ON used.account_id = account.id AND used.month = ?2
  WHERE account.id = ?1 AND NOT EXISTS (SELECT 1 FROM erased_workspace WHERE workspace_id = ?3)`

/**
 * Adds what an object has counted since it told last, in one transaction with what it has told: told twice, or late, it is added
 * once.
 * @param counts all that the object has ever counted
 * @returns how its account stands then; undefined: there is no such workspace any more
 */
export async function tellUsage(
  workspace: Workspace,
  source: string,
  counts: Counts,
  now: Micros,
): Promise<Standing | undefined> {
  const { DB } = workspace.bindings
  const told = [workspace.id, source, ...COUNTED.map((name) => counts[name])]
  const month = monthOf(now)
  const results = await DB.batch<AccountRow>([
    DB.prepare(
      `INSERT INTO usage_day (workspace_id, day, ${NAMES}) SELECT ?1, ?7, ${NAMES} FROM (${NEWS})
       WHERE ${IS_NEWS} ON CONFLICT (workspace_id, day) DO UPDATE SET ${ADD}`,
    ).bind(...told, dayOf(now)),
    DB.prepare(
      `INSERT INTO usage_month (account_id, month, ${NAMES}) SELECT ?7, ?8, ${NAMES} FROM (${NEWS})
       WHERE ${IS_NEWS} ON CONFLICT (account_id, month) DO UPDATE SET ${ADD}`,
    ).bind(...told, workspace.account_id, month),
    DB.prepare(
      `INSERT INTO usage_source (workspace_id, source, ${NAMES}) SELECT ?1, ?2, ?3, ?4, ?5, ?6
       WHERE NOT EXISTS (SELECT 1 FROM erased_workspace WHERE workspace_id = ?1)
       ON CONFLICT (workspace_id, source) DO UPDATE SET ${of((name) => `${name} = excluded.${name}`)}
       WHERE ${DIFFERS}`,
    ).bind(...told),
    DB.prepare(STANDING).bind(workspace.account_id, month, workspace.id),
  ])
  const row = results.at(-1)?.results[0]
  return row === undefined ? undefined : toStanding(workspace.bindings, row, month)
}

/** How the workspace's account stands. */
export async function readStanding(workspace: Workspace, now: Micros): Promise<Standing> {
  const { DB } = workspace.bindings
  const month = monthOf(now)
  const row = await DB.prepare(STANDING)
    .bind(workspace.account_id, month, workspace.id)
    .first<AccountRow>()
  return toStanding(workspace.bindings, row ?? { ...NOTHING, plan: null, limits: null }, month)
}

/** What the account has used in the month of that moment. */
export async function readMonth(workspace: Workspace, now: Micros): Promise<Counts> {
  const row = await workspace.bindings.DB.prepare(
    `SELECT ${NAMES} FROM usage_month WHERE account_id = ? AND month = ?`,
  )
    .bind(workspace.account_id, monthOf(now))
    .first<Counts>()
  return row ?? NOTHING
}

/** What the workspace has used on each day from that one on, the latest first; days without anything are left out. */
export async function listDays(
  workspace: Workspace,
  from: string,
): Promise<(Counts & { day: string })[]> {
  const { results } = await workspace.bindings.DB.prepare(
    `SELECT day, ${NAMES} FROM usage_day WHERE workspace_id = ? AND day >= ? ORDER BY day DESC`,
  )
    .bind(workspace.id, from)
    .all<Counts & { day: string }>()
  return results
}

/** The objects that have told anything. */
export async function listSources(workspace: Workspace, limit: number): Promise<string[]> {
  const { results } = await workspace.bindings.DB.prepare(
    'SELECT source FROM usage_source WHERE workspace_id = ? ORDER BY source LIMIT ?',
  )
    .bind(workspace.id, limit)
    .all<{ source: string }>()
  return results.map(({ source }) => source)
}

/** Lets go of days before that one. */
export async function deleteOldDays(workspace: Workspace, before: string): Promise<void> {
  await workspace.bindings.DB.prepare('DELETE FROM usage_day WHERE workspace_id = ? AND day < ?')
    .bind(workspace.id, before)
    .run()
}

// For whoever runs the service.

/** What is set for an account; undefined when there is no such account. */
export async function findPlanChoice(
  db: D1Database,
  accountId: string,
): Promise<PlanChoice | undefined> {
  const row = await db
    .prepare('SELECT plan, limits FROM account WHERE id = ?')
    .bind(accountId)
    .first<Pick<AccountRow, 'plan' | 'limits'>>()
  return row === null ? undefined : toChoice(row)
}

/** @returns whether there is such an account */
export async function setPlanChoice(
  db: D1Database,
  accountId: string,
  { plan, limits }: PlanChoice,
  now: Micros,
): Promise<boolean> {
  const { meta } = await db
    .prepare('UPDATE account SET plan = ?, limits = ?, updated = ? WHERE id = ?')
    .bind(plan, limits === null ? null : JSON.stringify(limits), formatTimestamp(now), accountId)
    .run()
  return meta.changes > 0
}

function toChoice({ plan, limits }: Pick<AccountRow, 'plan' | 'limits'>): PlanChoice {
  return {
    plan: plan as PlanName | null,
    limits: limits === null ? null : (JSON.parse(limits) as LimitsChange),
  }
}

function toStanding(bindings: Bindings, row: AccountRow, month: string): Standing {
  const { flow_runs, log_bytes, ...choice } = row
  const plan: Plan = planOf(toChoice(choice), serviceChoice(bindings))
  return { ...plan, month, used: { flow_runs, log_bytes } }
}

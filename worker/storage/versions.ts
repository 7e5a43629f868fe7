import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { home } from './schema/access.ts'
import { deployment, workPool } from './schema/config.ts'
import { flowRun, taskRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

// What the store says of things that objects own, for comparing both.

/** The `seq` of these flow runs, tombstones among them; those that the store does not have are left out. */
export async function readFlowRunVersions(
  workspace: Workspace,
  ids: readonly string[],
): Promise<Map<string, number>> {
  return await readVersions(workspace, flowRun, ids)
}

export async function readTaskRunVersions(
  workspace: Workspace,
  ids: readonly string[],
): Promise<Map<string, number>> {
  return await readVersions(workspace, taskRun, ids)
}

async function readVersions(
  workspace: Workspace,
  table: typeof flowRun | typeof taskRun,
  ids: readonly string[],
): Promise<Map<string, number>> {
  const rows = await workspace.store
    .select({ id: table.id, seq: table.seq })
    .from(table)
    .where(
      and(
        eq(table.workspace_id, workspace.id),
        sql`${table.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
      ),
    )
  return new Map(rows.map(({ id, seq }) => [id, seq]))
}

/**
 * Flow runs that are not over, among the next `window` of all in the order of their ids.
 * @returns `next`: the last that was looked at; null when there are no more
 */
export async function listOpenFlowRuns(
  workspace: Workspace,
  after: string,
  window: number,
): Promise<{ ids: string[]; next: string | null }> {
  const [page] = await workspace.store.all<{ ids: string; last: string | null; looked: number }>(
    sql`SELECT json_group_array(id) FILTER (WHERE deleted = 0 AND end_time IS NULL) AS ids,
        max(id) AS last, count(*) AS looked
      FROM (SELECT ${flowRun.id} AS id, ${flowRun.deleted} AS deleted, ${flowRun.end_time} AS end_time
        FROM ${flowRun} WHERE ${flowRun.workspace_id} = ${workspace.id} AND ${flowRun.id} > ${after}
        ORDER BY ${flowRun.id} LIMIT ${window})`,
  )
  return {
    ids: JSON.parse(page?.ids ?? '[]') as string[],
    next: page === undefined || page.looked < window ? null : page.last,
  }
}

/** When these runs ended, by their ids; null: they have not. Those that the store does not have are left out. */
export async function readEndTimes(
  workspace: Workspace,
  kind: 'flow_run' | 'task_run',
  ids: readonly string[],
): Promise<Map<string, string | null>> {
  const table = kind === 'flow_run' ? flowRun : taskRun
  const rows = await workspace.store
    .select({ id: table.id, end_time: table.end_time })
    .from(table)
    .where(
      and(
        eq(table.workspace_id, workspace.id),
        sql`${table.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
      ),
    )
  return new Map(rows.map(({ id, end_time }) => [id, end_time]))
}

/** The home that follows; undefined after the last. */
export async function findNextHome(
  workspace: Workspace,
  after: HomeKey,
): Promise<HomeKey | undefined> {
  const [row] = await workspace.store
    .select({ key: home.key })
    .from(home)
    .where(and(eq(home.workspace_id, workspace.id), gt(home.key, after)))
    .orderBy(asc(home.key))
    .limit(1)
  return row?.key
}

export interface ConfigVersion {
  kind: 'work_pool' | 'deployment'
  id: string
  version: number
}

/** The pool and the deployments that a home owns. */
export async function listConfigVersions(
  workspace: Workspace,
  key: HomeKey,
): Promise<ConfigVersion[]> {
  const pools = await workspace.store
    .select({ id: workPool.id, version: workPool.version_number })
    .from(workPool)
    .where(and(eq(workPool.workspace_id, workspace.id), eq(workPool.home_key, key)))
  const deployments = await workspace.store
    .select({ id: deployment.id, version: deployment.version_number })
    .from(deployment)
    .where(and(eq(deployment.workspace_id, workspace.id), eq(deployment.home_key, key)))
  return [
    ...pools.map((pool) => ({ ...pool, kind: 'work_pool' as const })),
    ...deployments.map((row) => ({ ...row, kind: 'deployment' as const })),
  ]
}

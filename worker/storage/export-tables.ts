import { and, asc, eq, getTableColumns, inArray, sql, type SQL } from 'drizzle-orm'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { artifact, artifactCollection } from './schema/artifacts.ts'
import { automation } from './schema/automations.ts'
import { blockSchema, blockType, configuration } from './schema/blocks.ts'
import {
  deployment,
  deploymentSchedule,
  flow,
  worker,
  workPool,
  workQueue,
} from './schema/config.ts'
import { flowRun, taskRun } from './schema/runs.ts'
import { savedSearch } from './schema/saved-searches.ts'
import { taskCache } from './schema/task-caches.ts'
import { usageDay } from './schema/usage.ts'
import { variable } from './schema/variables.ts'
import type { Workspace } from './workspace.ts'

type Row = Record<string, unknown>
/** Where a page ended: what its last row has in the columns by which pages are ordered. */
export type Place = (string | number)[]

/** A table whose rows are exported as they are. */
export interface ExportedTable {
  kind: string
  table: SQLiteTable & { workspace_id: SQLiteColumn }
  /** An order that an index has, so that a page costs what it holds. */
  order: SQLiteColumn[]
  /** No index of its own tells the workspace: the rows of these, which do. */
  of?: {
    column: SQLiteColumn
    table: SQLiteTable & { workspace_id: SQLiteColumn; id: SQLiteColumn }
  }
  where?: SQL
  /** What only the server needs. */
  without?: string[]
  limit?: number
}

/** A run may have megabytes. */
const RUNS = 25
const ROWS = 200

/** In the order in which somebody else could take them in. */
export const EXPORTED_TABLES: readonly ExportedTable[] = [
  { kind: 'flow', table: flow, order: [flow.name] },
  { kind: 'work_pool', table: workPool, order: [workPool.name], without: ['home_key'] },
  {
    kind: 'work_queue',
    table: workQueue,
    order: [workQueue.work_pool_id, workQueue.name],
    of: { column: workQueue.work_pool_id, table: workPool },
  },
  {
    kind: 'worker',
    table: worker,
    order: [worker.work_pool_id, worker.name],
    of: { column: worker.work_pool_id, table: workPool },
  },
  {
    kind: 'deployment',
    table: deployment,
    order: [deployment.flow_id, deployment.name],
    without: ['home_key'],
    limit: RUNS,
  },
  {
    kind: 'deployment_schedule',
    table: deploymentSchedule,
    order: [deploymentSchedule.deployment_id, deploymentSchedule.id],
    of: { column: deploymentSchedule.deployment_id, table: deployment },
  },
  { kind: 'variable', table: variable, order: [variable.id] },
  { kind: 'block_type', table: blockType, order: [blockType.id], limit: RUNS },
  { kind: 'block_schema', table: blockSchema, order: [blockSchema.id], limit: RUNS },
  { kind: 'configuration', table: configuration, order: [configuration.key] },
  { kind: 'automation', table: automation, order: [automation.id], limit: RUNS },
  { kind: 'saved_search', table: savedSearch, order: [savedSearch.id] },
  {
    kind: 'flow_run',
    table: flowRun,
    order: [flowRun.id],
    where: eq(flowRun.deleted, false),
    without: ['tail', 'seq', 'deleted'],
    limit: RUNS,
  },
  {
    kind: 'task_run',
    table: taskRun,
    order: [taskRun.id],
    where: eq(taskRun.deleted, false),
    without: ['seq', 'deleted'],
    limit: RUNS,
  },
  { kind: 'task_cache', table: taskCache, order: [taskCache.cache_key], limit: RUNS },
  { kind: 'artifact', table: artifact, order: [artifact.id], limit: RUNS },
  { kind: 'artifact_collection', table: artifactCollection, order: [artifactCollection.key] },
  { kind: 'usage_day', table: usageDay, order: [usageDay.day] },
]

/** A page of a table's rows, and where the next one begins; null: there is none. */
export async function exportRows(
  workspace: Workspace,
  exported: ExportedTable,
  after: Place | null,
): Promise<{ rows: Row[]; next: Place | null }> {
  const { table, order, of, where, without = [], limit = ROWS } = exported
  const columns = getTableColumns(table)
  const rows: Row[] = await workspace.store
    .select()
    .from(table)
    .where(
      and(
        eq(table.workspace_id, workspace.id),
        of === undefined ? undefined : inArray(of.column, idsOf(workspace, of.table)),
        where,
        after === null
          ? undefined
          : sql`(${list(order)}) > (${list(after.map((one) => sql`${one}`))})`,
      ),
    )
    .orderBy(...order.map((column) => asc(column)))
    .limit(limit)
  const last = rows.at(-1)
  const shown = Object.keys(columns).filter(
    (name) => name !== 'workspace_id' && !without.includes(name),
  )
  return {
    rows: rows.map((row) => Object.fromEntries(shown.map((name) => [name, row[name]]))),
    next:
      last === undefined || rows.length < limit
        ? null
        : order.map((column) => last[column.name] as string | number),
  }
}

function idsOf(
  workspace: Workspace,
  table: SQLiteTable & { workspace_id: SQLiteColumn; id: SQLiteColumn },
) {
  return workspace.store
    .select({ id: table.id })
    .from(table)
    .where(eq(table.workspace_id, workspace.id))
}

function list(parts: readonly (SQL | SQLiteColumn)[]): SQL {
  return sql.join(
    parts.map((part) => sql`${part}`),
    sql`, `,
  )
}

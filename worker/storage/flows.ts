import { and, asc, count, desc, eq, type SQL } from 'drizzle-orm'
import type { HomeKey } from '#core/flow-run-id.ts'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Flow, FlowCreate, FlowUpdate } from '#core/wire/flow.ts'
import type { FlowSort } from '#core/wire/query.ts'
import { audited } from '#domain/audit.ts'
import { flowCondition, type Filters } from '#domain/filter.ts'
import { records, runRecorded } from './audit.ts'
import { toSql } from './condition.ts'
import { newId } from './new-id.ts'
import { deployment, flow } from './schema/config.ts'
import type { Workspace } from './workspace.ts'

const columns = {
  id: flow.id,
  created: flow.created,
  updated: flow.updated,
  name: flow.name,
  tags: flow.tags,
  labels: flow.labels,
}

/** The id last, so that rows of equal rank keep one order from page to page. */
const ORDERS: Record<FlowSort, SQL[]> = {
  NAME_ASC: [asc(flow.name), asc(flow.id)],
  NAME_DESC: [desc(flow.name), desc(flow.id)],
  CREATED_DESC: [desc(flow.created), desc(flow.id)],
  UPDATED_DESC: [desc(flow.updated), desc(flow.id)],
}

export async function findFlow(workspace: Workspace, id: string): Promise<Flow | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(flow)
    .where(and(eq(flow.workspace_id, workspace.id), eq(flow.id, id)))
  return row
}

export async function findFlowByName(
  workspace: Workspace,
  name: string,
): Promise<Flow | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(flow)
    .where(and(eq(flow.workspace_id, workspace.id), eq(flow.name, name)))
  return row
}

/** Makes a flow; undefined when the workspace has one of that name. */
export async function insertFlow(
  workspace: Workspace,
  body: FlowCreate,
  now: Micros,
): Promise<Flow | undefined> {
  const created = formatTimestamp(now)
  const made: Flow = {
    id: newId(now),
    created,
    updated: created,
    name: body.name,
    tags: body.tags ?? [],
    labels: body.labels ?? {},
  }
  const [row] = await runRecorded(
    workspace,
    workspace.store
      .insert(flow)
      .values({ ...made, workspace_id: workspace.id })
      .onConflictDoNothing()
      .returning(columns),
    audited('flow', null, made),
  )
  return row
}

/** @returns the flow as it is now; undefined when the workspace has none of that id */
export async function updateFlow(
  workspace: Workspace,
  id: string,
  body: FlowUpdate,
  now: Micros,
): Promise<Flow | undefined> {
  const fields = body.tags === undefined ? {} : { tags: body.tags }
  const before = workspace.trail && (await findFlow(workspace, id))
  const [changed] = await runRecorded(
    workspace,
    workspace.store
      .update(flow)
      .set({ updated: formatTimestamp(now), ...fields })
      .where(and(eq(flow.workspace_id, workspace.id), eq(flow.id, id)))
      .returning(columns),
    audited('flow', before, before && { ...before, ...fields }),
  )
  return changed
}

/** The flow's deployments, with the homes that run their schedules. */
export async function listDeploymentsOfFlow(
  workspace: Workspace,
  id: string,
): Promise<{ id: string; home_key: HomeKey }[]> {
  return await deploymentsOfFlow(workspace, id)
}

/** Removes a flow, and with it its deployments, which their homes must hear of. */
export async function removeFlow(
  workspace: Workspace,
  id: string,
): Promise<{ removed: boolean; deployments: { id: string; home_key: HomeKey }[] }> {
  const before = workspace.trail && (await findFlow(workspace, id))
  const [deployments, removed] = await workspace.store.batch([
    deploymentsOfFlow(workspace, id),
    workspace.store
      .delete(flow)
      .where(and(eq(flow.workspace_id, workspace.id), eq(flow.id, id)))
      .returning({ id: flow.id }),
    ...records(workspace, audited('flow', before, null)),
  ])
  return { removed: removed.length > 0, deployments }
}

function deploymentsOfFlow(workspace: Workspace, id: string) {
  return workspace.store
    .select({ id: deployment.id, home_key: deployment.home_key })
    .from(deployment)
    .where(and(eq(deployment.workspace_id, workspace.id), eq(deployment.flow_id, id)))
}

export async function listFlows(
  workspace: Workspace,
  filters: Filters,
  sort: FlowSort,
  slice: { limit: number; offset: number },
): Promise<Flow[]> {
  return await workspace.store
    .select(columns)
    .from(flow)
    .where(toSql(flowCondition(workspace.id, filters)))
    .orderBy(...ORDERS[sort])
    .limit(slice.limit)
    .offset(slice.offset)
}

export async function countFlows(workspace: Workspace, filters: Filters): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(flow)
    .where(toSql(flowCondition(workspace.id, filters)))
  return row?.count ?? 0
}

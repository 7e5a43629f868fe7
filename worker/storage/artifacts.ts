import { and, asc, count, desc, eq, sql, type SQL } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { Artifact, ArtifactCollection } from '#core/wire/artifact.ts'
import type { ArtifactSort } from '#core/wire/query.ts'
import { audited } from '#domain/audit.ts'
import { artifactCondition, type ArtifactFilters } from '#domain/filter.ts'
import { records, runRecorded } from './audit.ts'
import { toSql } from './condition.ts'
import { newId } from './new-id.ts'
import { artifact, artifactCollection } from './schema/artifacts.ts'
import type { Workspace } from './workspace.ts'

type Text = string | null
/** Artifacts whose data is the text of its JSON. */
export type StoredArtifact = Omit<Artifact, 'data'> & { data: Text }
export type StoredCollection = Omit<ArtifactCollection, 'data'> & { data: Text }

const content = {
  type: artifact.type,
  description: artifact.description,
  metadata_: artifact.metadata_,
  flow_run_id: artifact.flow_run_id,
  task_run_id: artifact.task_run_id,
  data: artifact.data,
}

const columns = {
  id: artifact.id,
  created: artifact.created,
  updated: artifact.updated,
  key: artifact.key,
  ...content,
}

/** A collection shows its newest artifact, and has changed when that has. */
const collectionColumns = {
  id: artifactCollection.id,
  created: artifactCollection.created,
  updated: sql<string>`max(${artifactCollection.updated}, ${artifact.updated})`,
  key: artifactCollection.key,
  latest_id: artifactCollection.latest_id,
  ...content,
}

const latest = and(
  eq(artifact.workspace_id, artifactCollection.workspace_id),
  eq(artifact.id, artifactCollection.latest_id),
)

/** The id last, so that rows of equal rank keep one order from page to page. */
const ORDERS: Record<ArtifactSort, SQL[]> = {
  ID_DESC: [desc(artifact.id)],
  KEY_ASC: [asc(artifact.key), asc(artifact.id)],
  KEY_DESC: [desc(artifact.key), desc(artifact.id)],
  CREATED_DESC: [desc(artifact.created), desc(artifact.id)],
  UPDATED_DESC: [desc(artifact.updated), desc(artifact.id)],
}

const COLLECTION_ORDERS: Record<ArtifactSort, SQL[]> = {
  ID_DESC: [desc(artifactCollection.id)],
  KEY_ASC: [asc(artifactCollection.key)],
  KEY_DESC: [desc(artifactCollection.key)],
  CREATED_DESC: [desc(artifactCollection.created), desc(artifactCollection.id)],
  UPDATED_DESC: [desc(collectionColumns.updated), desc(artifactCollection.id)],
}

/** Makes an artifact; with a key it is the newest of its collection, which is made when it is the first. */
export async function insertArtifact(
  workspace: Workspace,
  fields: Omit<StoredArtifact, 'id' | 'created' | 'updated'>,
  now: Micros,
): Promise<{ artifact: StoredArtifact; collection: StoredCollection | null; first: boolean }> {
  const time = formatTimestamp(now)
  const row = { ...fields, id: newId(now), created: time, updated: time }
  const insert = workspace.store.insert(artifact).values({ ...row, workspace_id: workspace.id })
  if (fields.key === null) {
    await insert
    return { artifact: row, collection: null, first: false }
  }
  const own = { created: time, updated: time, latest_id: row.id }
  const [, [kept]] = await workspace.store.batch([
    insert,
    workspace.store
      .insert(artifactCollection)
      .values({ ...own, workspace_id: workspace.id, key: fields.key, id: newId(now) })
      .onConflictDoUpdate({
        target: [artifactCollection.workspace_id, artifactCollection.key],
        set: { updated: time, latest_id: row.id },
      })
      .returning({ id: artifactCollection.id, created: artifactCollection.created }),
  ])
  const collection = { ...row, key: fields.key, latest_id: row.id, ...kept }
  return { artifact: row, collection, first: collection.created === time }
}

export async function findArtifact(
  workspace: Workspace,
  id: string,
): Promise<StoredArtifact | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(artifact)
    .where(and(eq(artifact.workspace_id, workspace.id), eq(artifact.id, id)))
  return row
}

export async function findArtifactCollection(
  workspace: Workspace,
  key: string,
): Promise<StoredCollection | undefined> {
  const [row] = await workspace.store
    .select(collectionColumns)
    .from(artifactCollection)
    .innerJoin(artifact, latest)
    .where(and(eq(artifactCollection.workspace_id, workspace.id), eq(artifactCollection.key, key)))
  return row
}

/** @returns whether the workspace has that artifact */
export async function updateArtifact(
  workspace: Workspace,
  id: string,
  fields: Partial<Pick<StoredArtifact, 'data' | 'description' | 'metadata_'>>,
  now: Micros,
): Promise<boolean> {
  const changed = await workspace.store
    .update(artifact)
    .set({ ...fields, updated: formatTimestamp(now) })
    .where(and(eq(artifact.workspace_id, workspace.id), eq(artifact.id, id)))
    .returning({ id: artifact.id })
  return changed.length > 0
}

/** Removes an artifact; its collection shows the one before, or goes with its last one. */
export async function removeArtifact(
  workspace: Workspace,
  { id, key }: { id: string; key: Text },
): Promise<'removed' | 'moved' | 'emptied' | undefined> {
  const remove = workspace.store
    .delete(artifact)
    .where(and(eq(artifact.workspace_id, workspace.id), eq(artifact.id, id)))
    .returning({ id: artifact.id })
  const change = audited('artifact', { id, name: key }, null)
  if (key === null) {
    return (await runRecorded(workspace, remove, change)).length > 0 ? 'removed' : undefined
  }
  const shown = and(
    eq(artifactCollection.workspace_id, workspace.id),
    eq(artifactCollection.key, key),
    eq(artifactCollection.latest_id, id),
  )
  const before = (column: string) =>
    sql`(SELECT ${sql.raw(column)} FROM artifact AS older WHERE older.workspace_id = ${workspace.id}
      AND older.key = ${key} ORDER BY older.id DESC LIMIT 1)`
  const [removed, ...others] = await workspace.store.batch([
    remove,
    ...records(workspace, change),
    workspace.store
      .update(artifactCollection)
      .set({
        latest_id: before('id'),
        created: before('created'),
        updated: before('updated'),
      })
      .where(and(shown, sql`${before('id')} IS NOT NULL`))
      .returning({ id: artifactCollection.id }),
    workspace.store
      .delete(artifactCollection)
      .where(shown)
      .returning({ id: artifactCollection.id }),
  ])
  const [moved = [], emptied = []] = others.slice(-2) as { id: string }[][]
  return removed.length === 0
    ? undefined
    : moved.length > 0
      ? 'moved'
      : emptied.length > 0
        ? 'emptied'
        : 'removed'
}

export async function listArtifacts(
  workspace: Workspace,
  filters: ArtifactFilters,
  sort: ArtifactSort,
  slice: { limit: number; offset: number },
): Promise<StoredArtifact[]> {
  return await workspace.store
    .select(columns)
    .from(artifact)
    .where(toSql(artifactCondition(workspace.id, filters)))
    .orderBy(...ORDERS[sort])
    .limit(slice.limit)
    .offset(slice.offset)
}

export async function countArtifacts(
  workspace: Workspace,
  filters: ArtifactFilters,
): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(artifact)
    .where(toSql(artifactCondition(workspace.id, filters)))
  return row?.count ?? 0
}

export async function listArtifactCollections(
  workspace: Workspace,
  filters: ArtifactFilters,
  sort: ArtifactSort,
  slice: { limit: number; offset: number },
): Promise<StoredCollection[]> {
  return await workspace.store
    .select(collectionColumns)
    .from(artifactCollection)
    .innerJoin(artifact, latest)
    .where(inCollections(workspace, filters))
    .orderBy(...COLLECTION_ORDERS[sort])
    .limit(slice.limit)
    .offset(slice.offset)
}

export async function countArtifactCollections(
  workspace: Workspace,
  filters: ArtifactFilters,
): Promise<number> {
  const [row] = await workspace.store
    .select({ count: count() })
    .from(artifactCollection)
    .innerJoin(artifact, latest)
    .where(inCollections(workspace, filters))
  return row?.count ?? 0
}

function inCollections(workspace: Workspace, filters: ArtifactFilters): SQL | undefined {
  return and(
    eq(artifactCollection.workspace_id, workspace.id),
    toSql(artifactCondition(workspace.id, filters)),
  )
}

import { and, asc, eq } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { SavedSearch, SavedSearchCreate } from '#core/wire/saved-search.ts'
import { newId } from './new-id.ts'
import { savedSearch } from './schema/saved-searches.ts'
import type { Workspace } from './workspace.ts'

const columns = {
  id: savedSearch.id,
  created: savedSearch.created,
  updated: savedSearch.updated,
  name: savedSearch.name,
  filters: savedSearch.filters,
}

/** Makes a search, or gives the one of that name other filters. */
export async function saveSearch(
  workspace: Workspace,
  body: SavedSearchCreate,
  now: Micros,
): Promise<{ search: SavedSearch; created: boolean }> {
  const time = formatTimestamp(now)
  const id = newId(now)
  const filters = body.filters ?? []
  const [search] = await workspace.store
    .insert(savedSearch)
    .values({
      workspace_id: workspace.id,
      id,
      created: time,
      updated: time,
      name: body.name,
      filters,
    })
    .onConflictDoUpdate({
      target: [savedSearch.workspace_id, savedSearch.name],
      set: { filters, updated: time },
    })
    .returning(columns)
  if (search === undefined) {
    throw new Error(`saved search '${body.name}' was neither made nor changed`)
  }
  return { search, created: search.id === id }
}

export async function findSavedSearch(
  workspace: Workspace,
  id: string,
): Promise<SavedSearch | undefined> {
  const [row] = await workspace.store
    .select(columns)
    .from(savedSearch)
    .where(and(eq(savedSearch.workspace_id, workspace.id), eq(savedSearch.id, id)))
  return row
}

export async function listSavedSearches(
  workspace: Workspace,
  slice: { limit: number; offset: number },
): Promise<SavedSearch[]> {
  return await workspace.store
    .select(columns)
    .from(savedSearch)
    .where(eq(savedSearch.workspace_id, workspace.id))
    .orderBy(asc(savedSearch.name))
    .limit(slice.limit)
    .offset(slice.offset)
}

/** @returns whether the workspace had that search */
export async function removeSavedSearch(workspace: Workspace, id: string): Promise<boolean> {
  const removed = await workspace.store
    .delete(savedSearch)
    .where(and(eq(savedSearch.workspace_id, workspace.id), eq(savedSearch.id, id)))
    .returning({ id: savedSearch.id })
  return removed.length > 0
}

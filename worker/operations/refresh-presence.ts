import { briefly } from '#storage/briefly.ts'
import { listHomesWithDoorbells } from '#storage/workers.ts'
import type { Workspace } from '#storage/workspace.ts'
import { report } from './report.ts'
import { homeContext } from './configure-home.ts'
import { homeStub } from './stubs.ts'

/** Each look wakes homes that sleep, and agents that fall silent are few. */
const FRESH_MS = 30_000
const MAX_KNOWN = 10_000
const refreshed = new Map<string, number>()

/**
 * To be called before who serves what is read: homes note the opening and the closing of doorbells in the store, but a host
 * that has lost its power or its network closes nothing. So the homes that are waited at look for doorbells that have fallen
 * silent. Never throws: then the store tells what it knew.
 */
export async function refreshPresence(workspace: Workspace): Promise<void> {
  const now = Date.now()
  if (Math.abs(now - (refreshed.get(workspace.id) ?? 0)) < FRESH_MS) {
    return
  }
  remember(workspace.id, now)
  try {
    const keys = await briefly(workspace, listHomesWithDoorbells(workspace))
    await Promise.all(
      keys.map((key) => homeStub(workspace, key).refreshPresence(homeContext(workspace, key))),
    )
  } catch (error) {
    report('who serves the pools could not be refreshed', error, { workspace_id: workspace.id })
  }
}

function remember(workspaceId: string, now: number): void {
  refreshed.delete(workspaceId)
  const oldest = refreshed.keys().next()
  if (refreshed.size >= MAX_KNOWN && oldest.done !== true) {
    refreshed.delete(oldest.value)
  }
  refreshed.set(workspaceId, now)
}

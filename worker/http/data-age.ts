import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { Workspace } from '#storage/workspace.ts'
import { eventHubStub } from '../operations/stubs.ts'

/** Seconds, with one decimal, by which a list may lag behind what homes and streams know; 0 when nothing waits. */
export const DATA_AGE_HEADER = 'Headgate-Data-Age'

/** All is well most of the time: then the hub is asked this seldom. */
const WELL_MS = 5000
const LAGGING_MS = 1000
const MAX_KNOWN = 10_000

const known = new Map<string, { since: Micros | null; asked: number }>()

/** How old the store's rows of runs may be, as its header says it; undefined when nobody can tell. */
export async function dataAge(workspace: Workspace, now: Micros): Promise<string | undefined> {
  const cached = known.get(workspace.id)
  const fresh = cached?.since === null ? WELL_MS : LAGGING_MS
  if (cached !== undefined && Date.now() - cached.asked < fresh) {
    return toSeconds(cached.since, now)
  }
  try {
    const since = await eventHubStub(workspace).lagsSince()
    remember(workspace.id, since)
    return toSeconds(since, now)
  } catch {
    return undefined
  }
}

function toSeconds(since: Micros | null, now: Micros): string {
  return since === null ? '0' : (Math.max(0, now - since) / MICROS_PER_SECOND).toFixed(1)
}

function remember(workspaceId: string, since: Micros | null): void {
  known.delete(workspaceId)
  const oldest = known.keys().next()
  if (known.size >= MAX_KNOWN && oldest.done !== true) {
    known.delete(oldest.value)
  }
  known.set(workspaceId, { since, asked: Date.now() })
}

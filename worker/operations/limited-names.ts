import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { Workspace } from '#storage/workspace.ts'
import { concurrencyLimitsStub } from './stubs.ts'

/**
 * Which names have limits, kept in the isolate: every tagged task asks for its tags, most of which have none, and must not wait
 * or cost for that. A new limit is heeded everywhere after this time, as long as Prefect's client itself remembers that a name
 * has none.
 */
const FRESH_MICROS = 5 * MICROS_PER_SECOND
/** A workspace's names are a few KB at most. */
const MAX_WORKSPACES = 1000

interface Known {
  names: ReadonlySet<string>
  at: Micros
}

const known = new Map<string, Known>()

export async function limitedNames(
  workspace: Workspace,
  names: readonly string[],
  now: Micros,
): Promise<string[]> {
  const entry = known.get(workspace.id)
  const fresh =
    entry !== undefined && now - entry.at < FRESH_MICROS ? entry : await ask(workspace, now)
  return names.filter((name) => fresh.names.has(name))
}

/** After a change of names made here, so that whoever made it sees it at once. */
export function forgetLimitedNames(workspace: Workspace): void {
  known.delete(workspace.id)
}

async function ask(workspace: Workspace, now: Micros): Promise<Known> {
  const names = await concurrencyLimitsStub(workspace).names()
  const entry = { names: new Set(names), at: now }
  if (known.size >= MAX_WORKSPACES) {
    known.clear()
  }
  known.set(workspace.id, entry)
  return entry
}

import type { Micros } from '#core/time.ts'
import { revokeApiKey } from '#storage/api-keys.ts'
import { listPoolHomes } from '#storage/homes.ts'
import type { Workspace } from '#storage/workspace.ts'
import { homeContext } from './configure-home.ts'
import { homeStub } from './stubs.ts'

/** Homes that are told at once. */
const AT_ONCE = 20

/** Ends a key, and what waits at doorbells with it. Other sockets look at their keys by themselves. */
export async function endApiKey(workspace: Workspace, id: string, now: Micros): Promise<void> {
  await revokeApiKey(workspace, id, now)
  await closeDoorbells(workspace, [id])
}

/** Agents that wait with these keys come back with the next request, and are refused. */
export async function closeDoorbells(workspace: Workspace, keyIds: string[]): Promise<void> {
  const homes = await listPoolHomes(workspace)
  for (let from = 0; from < homes.length; from += AT_ONCE) {
    const some = homes.slice(from, from + AT_ONCE)
    // One after another, so that a workspace with many pools does not open hundreds of connections.
    // oxlint-disable-next-line no-await-in-loop
    await Promise.all(
      some.map(async (key) => {
        await homeStub(workspace, key).closeDoorbells(homeContext(workspace, key), keyIds)
      }),
    )
  }
}

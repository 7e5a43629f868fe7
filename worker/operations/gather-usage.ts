import { briefly } from '#storage/briefly.ts'
import { listSources } from '#storage/usage.ts'
import type { Workspace } from '#storage/workspace.ts'
import { homeContext } from './configure-home.ts'
import { objectContext } from './object-context.ts'
import { eventStreamStubs, homeStub, logShardsOf } from './stubs.ts'

/** With more objects than these, the others are up to a quarter of an hour behind. */
const MAX_SOURCES = 200

/** Has the objects of a workspace tell what they have counted and not told. One that is away tells it later. */
export async function gatherUsage(workspace: Workspace): Promise<void> {
  const sources = await listSources(workspace, MAX_SOURCES)
  const told = Promise.allSettled(sources.map((source) => tell(workspace, source)))
  await briefly(workspace, told).catch(() => undefined)
}

async function tell(workspace: Workspace, source: string): Promise<void> {
  const [kind, name = ''] = source.split(':')
  if (kind === 'home') {
    await homeStub(workspace, name).tellUsage(homeContext(workspace, name))
    return
  }
  const stubs = kind === 'events' ? eventStreamStubs(workspace) : logShardsOf(workspace, undefined)
  await stubs[Number(name)]?.tellUsage(objectContext(workspace))
}

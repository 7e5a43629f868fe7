import type { HomeKey } from '#core/flow-run-id.ts'
import type { Micros } from '#core/time.ts'
import { briefly } from '#storage/briefly.ts'
import {
  findDeployment,
  readHomeDeployment,
  type HomeDeployment,
  type StoredDeployment,
} from '#storage/deployments.ts'
import type { Workspace } from '#storage/workspace.ts'
import { homeContext } from './configure-home.ts'
import { LastKnown } from './last-known.ts'
import { homeStub } from './stubs.ts'

const homes = new LastKnown<HomeKey>()

/** A deployment as its runs are made from it. With the store away its home is asked, whose copy is as good. */
export async function readDeploymentToRun(
  workspace: Workspace,
  id: string,
): Promise<HomeDeployment | undefined> {
  return await orFromHome(workspace, id, null, readHomeDeployment(workspace, id))
}

/**
 * A deployment as everybody sees it; with the store away as its home knows it, which is not who serves it.
 * @param guess the home of a run of it, when that is who asks
 */
export async function readDeployment(
  workspace: Workspace,
  id: string,
  guess: HomeKey | null,
  now: Micros,
): Promise<StoredDeployment | undefined> {
  return await orFromHome(workspace, id, guess, findDeployment(workspace, id, now))
}

async function orFromHome<T extends StoredDeployment>(
  workspace: Workspace,
  id: string,
  guess: HomeKey | null,
  asked: Promise<T | undefined>,
): Promise<T | HomeDeployment | undefined> {
  const home = homes.find(workspace, id) ?? guess
  try {
    const found = await (home === null ? asked : briefly(workspace, asked))
    homes.note(workspace, id, found?.home_key)
    return found
  } catch (error) {
    const copy =
      home === null
        ? null
        : await homeStub(workspace, home).readDeployment(homeContext(workspace, home), id)
    if (copy === null) {
      throw error
    }
    return copy
  }
}

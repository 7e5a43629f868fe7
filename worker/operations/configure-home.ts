import type { HomeKey } from '#core/flow-run-id.ts'
import { readHomeDeployment } from '#storage/deployments.ts'
import { readHomeWorkPool } from '#storage/work-pools.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { HomeContext } from '../durable/work-pool.ts'
import { objectContext } from './object-context.ts'
import { homeStub } from './stubs.ts'

interface Owned {
  id: string
  home_key: HomeKey
}

/** What a home is told with each call. */
export function homeContext(workspace: Workspace, key: HomeKey): HomeContext {
  return { ...objectContext(workspace), home_key: key }
}

/**
 * Makes a change of a pool or of its queues so that its home can't miss it: the home notes that a change is coming, the
 * change is committed (with a higher version of the pool in the same batch), the rows are sent. Should this process die in
 * between, the home reads the store before its next claim.
 */
export async function changeWorkPool(
  workspace: Workspace,
  pool: Owned,
  commit: () => Promise<void>,
): Promise<void> {
  const context = homeContext(workspace, pool.home_key)
  const stub = homeStub(workspace, pool.home_key)
  await stub.expectChange(context, 'work_pool', pool.id)
  await commit()
  const config = (await readHomeWorkPool(workspace, pool.id)) ?? null
  await stub.applyWorkPool(context, pool.id, config)
}

/**
 * The same for a deployment or its schedules. Of one that the change moves to another pool both homes note that before; the old
 * one stops first, and the new one asks it to let go before it begins.
 */
export async function changeDeployment(
  workspace: Workspace,
  deployment: Owned & { moves_to?: HomeKey },
  commit: () => Promise<void>,
): Promise<void> {
  const oldContext = homeContext(workspace, deployment.home_key)
  const oldHome = homeStub(workspace, deployment.home_key)
  await oldHome.expectChange(oldContext, 'deployment', deployment.id)
  const { moves_to } = deployment
  if (moves_to !== undefined && moves_to !== deployment.home_key) {
    const context = homeContext(workspace, moves_to)
    await homeStub(workspace, moves_to).expectArrival(context, deployment.id, deployment.home_key)
  }
  await commit()
  const config = (await readHomeDeployment(workspace, deployment.id)) ?? null
  if (config !== null && config.home_key !== deployment.home_key) {
    const newContext = homeContext(workspace, config.home_key)
    const newHome = homeStub(workspace, config.home_key)
    await oldHome.applyDeployment(oldContext, deployment.id, config)
    await newHome.applyDeployment(newContext, deployment.id, config)
    return
  }
  await oldHome.applyDeployment(oldContext, deployment.id, config)
}

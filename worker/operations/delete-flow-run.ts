import { releaseIdempotencyKey } from '#storage/idempotency-keys.ts'
import type { Workspace } from '#storage/workspace.ts'
import { flowRunHome, flowRunNotFound } from './flow-run-home.ts'
import { askedBy, objectContext } from './object-context.ts'
import { eventStreamStub, logShardStub } from './stubs.ts'

/** Deletes a run, then what hangs on it: a repeated call after a failure in between ends it. */
export async function deleteFlowRun(workspace: Workspace, id: string): Promise<void> {
  const home = await flowRunHome(workspace, id)
  const deleted = await home.stub.deleteFlowRun(home.context, id, askedBy(workspace))
  await deleteRemains(workspace, id)
  if (deleted === null) {
    throw flowRunNotFound()
  }
  if (deleted.idempotency_key !== null) {
    await releaseIdempotencyKey(workspace, {
      flow_id: deleted.flow_id,
      key: deleted.idempotency_key,
    })
  }
}

/** Logs and task runs of a run that was deleted. */
export async function deleteRemains(workspace: Workspace, id: string): Promise<void> {
  await logShardStub(workspace, id).deleteFlowRun(objectContext(workspace), id)
  await eventStreamStub(workspace, id).deleteFlowRun(objectContext(workspace), id)
}

/** The same of many runs, in one call to each object. */
export async function deleteManyRemains(
  workspace: Workspace,
  ids: readonly string[],
): Promise<void> {
  const context = objectContext(workspace)
  const shards = grouped(ids, (id) => logShardStub(workspace, id))
  await Promise.all(shards.map(({ stub, own }) => stub.deleteFlowRuns(context, own)))
  const streams = grouped(ids, (id) => eventStreamStub(workspace, id))
  await Promise.all(streams.map(({ stub, own }) => stub.deleteFlowRuns(context, own)))
}

function grouped<T extends { readonly id: DurableObjectId }>(
  ids: readonly string[],
  stubOf: (id: string) => T,
): { stub: T; own: string[] }[] {
  const groups = new Map<string, { stub: T; own: string[] }>()
  for (const id of ids) {
    const stub = stubOf(id)
    const group = groups.get(stub.id.toString()) ?? { stub, own: [] }
    group.own.push(id)
    groups.set(stub.id.toString(), group)
  }
  return [...groups.values()]
}

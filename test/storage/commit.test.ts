import { eq } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { commit, nextVersion } from '#storage/commit.ts'
import { newId } from '#storage/new-id.ts'
import { workPool } from '#storage/schema/config.ts'
import { insertWorkQueue } from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { aWorkPool } from '../support/builders.ts'
import { aWorkspace } from '../support/workspace.ts'

const now = Date.now() * 1000

function describe(workspace: Workspace, id: string, description: string, expected: number) {
  return workspace.store
    .update(workPool)
    .set({ description, version_number: nextVersion(workPool.version_number, expected) })
    .where(eq(workPool.id, id))
}

function queue(workspace: Workspace, poolId: string, name: string) {
  const fields = { description: null, is_paused: false, concurrency_limit: null, priority: 2 }
  return insertWorkQueue(workspace, poolId, { id: newId(now), name, ...fields }, now)
}

async function state(workspace: Workspace, id: string) {
  const [pool] = await workspace.store.select().from(workPool).where(eq(workPool.id, id))
  return [pool?.version_number, pool?.description]
}

test('a batch that read the current version is stored', async () => {
  const { workspace } = await aWorkspace()
  const pool = await aWorkPool(workspace, { version_number: 7 })
  expect(await commit(workspace, [describe(workspace, pool.id, 'new', 7)])).toBe('committed')
  expect(await state(workspace, pool.id)).toEqual([8, 'new'])
})

test('a batch that read an older version is stale, and nothing of it is stored', async () => {
  const { workspace, client } = await aWorkspace()
  const pool = await aWorkPool(workspace, { version_number: 7 })
  const statements = [queue(workspace, pool.id, 'q'), describe(workspace, pool.id, 'new', 6)]
  expect(await commit(workspace, statements)).toBe('stale')
  expect(await state(workspace, pool.id)).toEqual([7, null])
  expect(await client.filterWorkQueues(pool.name)).toHaveLength(1)
})

test('a name in use is told, and nothing of the batch is stored', async () => {
  const { workspace } = await aWorkspace()
  const pool = await aWorkPool(workspace)
  const statements = [describe(workspace, pool.id, 'new', 1), queue(workspace, pool.id, 'default')]
  expect(await commit(workspace, statements)).toBe('taken')
  expect(await state(workspace, pool.id)).toEqual([1, null])
})

test('a row that refers to one that is gone is stale', async () => {
  const { workspace } = await aWorkspace()
  expect(await commit(workspace, [queue(workspace, newId(now), 'q')])).toBe('stale')
})

test('another fault of the store is thrown', async () => {
  const { workspace } = await aWorkspace()
  const statement = workspace.store
    .update(workPool)
    .set({ name: null as unknown as string })
    .where(eq(workPool.id, (await aWorkPool(workspace)).id))
  await expect(commit(workspace, [statement])).rejects.toThrow('work_pool.name')
})

import { eq } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import { worker } from '#storage/schema/config.ts'
import type { Workspace } from '#storage/workspace.ts'
import { recordHeartbeat } from '#storage/workers.ts'
import { call } from '../support/call.ts'
import { aWorker } from '../support/builders.ts'
import { aWorkspace } from '../support/workspace.ts'

const ago = (seconds: number) => formatTimestamp((Date.now() - seconds * 1000) * 1000)

async function aPool() {
  const made = await aWorkspace()
  const pool = await made.client.createWorkPool({ name: 'p', type: 'process' })
  return { ...made, pool }
}

async function heard(workspace: Workspace, poolId: string) {
  const rows = await workspace.store.select().from(worker).where(eq(worker.work_pool_id, poolId))
  return rows.map((row) => [row.last_heartbeat_time, row.heartbeat_interval_seconds])
}

test('a heartbeat makes a worker known and its pool ready', async () => {
  const { client, pool } = await aPool()
  await client.workerHeartbeat('p', { name: 'w 1', heartbeat_interval_seconds: 10 })
  await client.workerHeartbeat('p', { name: 'w 1' })
  expect(await client.filterWorkers('p')).toMatchObject([
    { name: 'w 1', work_pool_id: pool.id, status: 'ONLINE', heartbeat_interval_seconds: 10 },
  ])
  expect(await client.readWorkPool('p')).toMatchObject({ status: 'READY' })
  await client.deleteWorker('p', 'w 1')
  expect(await client.readWorkPool('p')).toMatchObject({ status: 'NOT_READY' })
})

test('a heartbeat is written as every second one at most, a new interval at once', async () => {
  const { workspace, pool } = await aPool()
  const start = Date.now() * 1000
  const at = (seconds: number) => start + seconds * 1_000_000
  const beat = async (seconds: number, interval?: number) =>
    await recordHeartbeat(
      workspace,
      pool.id,
      { name: 'w', heartbeat_interval_seconds: interval },
      at(seconds),
    )
  await beat(0)
  await beat(44)
  expect(await heard(workspace, pool.id)).toEqual([[formatTimestamp(at(0)), null]])
  await beat(45)
  expect(await heard(workspace, pool.id)).toEqual([[formatTimestamp(at(45)), null]])
  await beat(46, 5)
  await beat(47)
  expect(await heard(workspace, pool.id)).toEqual([[formatTimestamp(at(46)), 5]])
})

test('workers are listed by status and time, the last heard of first', async () => {
  const { client, workspace, pool } = await aPool()
  const add = async (name: string, seconds: number, interval?: number) =>
    await aWorker(workspace, {
      work_pool_id: pool.id,
      name,
      last_heartbeat_time: ago(seconds),
      heartbeat_interval_seconds: interval ?? null,
    })
  await add('silent', 500)
  await add('alive', 60)
  await add('quick', 40, 5)
  const names = async (workers: Parameters<typeof client.filterWorkers>[1]) =>
    (await client.filterWorkers('p', workers)).map((found) => found.name)
  expect(await names({})).toEqual(['quick', 'alive', 'silent'])
  expect(await names({ workers: { status: { any_: ['ONLINE'] } } })).toEqual(['alive'])
  expect(await names({ workers: { status: { not_any_: ['ONLINE'] } } })).toEqual([
    'quick',
    'silent',
  ])
  expect(await names({ workers: { status: { any_: [] } } })).toEqual([])
  expect(await names({ workers: { last_heartbeat_time: { before_: ago(50) } } })).toEqual([
    'alive',
    'silent',
  ])
  const either = {
    last_heartbeat_time: { before_: ago(400) },
    status: { any_: ['ONLINE' as const] },
  }
  expect(await names({ workers: { ...either, operator: 'or_' } })).toEqual(['alive', 'silent'])
  expect(await names({ workers: either })).toEqual([])
})

test.for<[string, string, unknown, number]>([
  ['POST', '/work_pools/none/workers/heartbeat', { name: 'w' }, 404],
  ['POST', '/work_pools/p/workers/heartbeat', {}, 422],
  ['POST', '/work_pools/none/workers/filter', {}, 404],
  ['POST', '/work_pools/p/workers/filter', { workers: { name: 'w' } }, 422],
  ['DELETE', '/work_pools/p/workers/none', undefined, 404],
])('%s %s %j is a %i', async ([method, path, body, status]) => {
  const { key, client } = await aPool()
  expect(await call(key, method, path, body)).toMatchObject({ status })
  expect(await call(undefined, method, path, body)).toMatchObject({ status: 401 })
  expect(await client.filterWorkers('p')).toEqual([])
})

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { homeStub } from '../../worker/operations/stubs.ts'
import { findWorkPoolKey } from '#storage/work-pools.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  // A day ahead, so that no alarm rings by itself.
  vi.setSystemTime(Date.now() + 86_400_000)
})
afterEach(() => {
  vi.useRealTimers()
})

test('a pool and its queue tell that they are served, and that they are no longer, once each', async () => {
  const { client, workspace } = await aWorkspace()
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const key = (await findWorkPoolKey(workspace, pool.name))?.home_key ?? ''
  const home = asStub(homeStub(workspace, key))
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const told = async () => {
    const filter = {
      event: { prefix: ['prefect.work-pool.', 'prefect.work-queue.'] },
      order: 'ASC' as const,
    }
    return (await client.filterEvents({ filter })).events
      .map(({ event }) => event)
      .filter((event) => event.endsWith('ready'))
      .toSorted()
  }
  const pass = async (seconds: number) => {
    vi.setSystemTime(Date.now() + seconds * 1000)
    await evictDurableObject(home)
    await runDurableObjectAlarm(home)
    // It does not wait for what it has started.
    await runInDurableObject(home, () => undefined)
  }
  const ready = ['prefect.work-pool.ready', 'prefect.work-queue.ready']
  const all = ['prefect.work-pool.not-ready', ...ready, 'prefect.work-queue.not-ready'].toSorted()

  await client.claim(pool.name, { agent, limit: 1 })
  vi.setSystemTime(Date.now() + 6000)
  await runDurableObjectAlarm(home)
  await expect.poll(told).toEqual(ready)
  await client.claim(pool.name, { agent, limit: 1 })
  await pass(61)
  await pass(200)
  await expect.poll(told).toEqual(all)
  await pass(61)
  expect(await told()).toEqual(all)
})

test('a home whose agents wait at its doorbell is woken each quarter of an hour, and no sooner', async () => {
  const { client, workspace, key } = await aWorkspace()
  const pool = await client.createWorkPool({ name: 'pool', type: 'process' })
  const homeKey = (await findWorkPoolKey(workspace, pool.name))?.home_key ?? ''
  const home = asStub(homeStub(workspace, homeKey))
  const query = `agent_id=${crypto.randomUUID()}&agent_name=agent`
  const response = await fetchWorker(`${API_URL}/work_pools/${pool.name}/doorbell?${query}`, {
    headers: { Upgrade: 'websocket', Authorization: `Bearer ${key}` },
  })
  const socket = response.webSocket
  socket?.accept()
  const alarm = async () =>
    (await runInDurableObject(home, async (_home, state) => await state.storage.getAlarm())) ?? 0
  const ahead = async () => (await alarm()) - Date.now()
  // What follows the opening is done by alarms of the first seconds.
  const settled = async () => {
    if ((await ahead()) < 30_000) {
      vi.setSystemTime(await alarm())
      await runDurableObjectAlarm(home)
    }
    return await ahead()
  }
  await expect.poll(settled, { timeout: 30_000 }).toBeGreaterThan(880_000)
  // Woken by it, a home has forgotten what it was for. Any later, and the silent doorbell would be closed.
  vi.setSystemTime(Date.now() + 60_000)
  await evictDurableObject(home)
  await runDurableObjectAlarm(home)
  await runInDurableObject(home, () => undefined)
  expect(await ahead()).toBeGreaterThan(880_000)
  socket?.close()
})

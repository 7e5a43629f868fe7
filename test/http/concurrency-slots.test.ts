import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it, test } from 'vitest'
import { concurrencyLimitsStub } from '../../worker/operations/stubs.ts'
import { call } from '../support/call.ts'
import { asStub } from '../support/objects.ts'
import { API_URL, aWorkspace, fetchWorker, type TestWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const V2 = '/v2/concurrency_limits'

interface Leased {
  lease_id: string
  limits: { id: string; name: string; limit: number }[]
}

async function aLimited(limits: Record<string, number>) {
  const workspace = await aWorkspace()
  for (const [name, limit] of Object.entries(limits)) {
    await workspace.client.createConcurrencyLimit({ name, limit })
  }
  const post = async (path: string, body: object) => await call(workspace.key, 'POST', path, body)
  return {
    ...workspace,
    post,
    lease: async (names: string[], more: object = {}) => {
      const { status, body } = await post(`${V2}/increment-with-lease`, {
        names,
        slots: 1,
        ...more,
      })
      return { status, ...(body as Leased) }
    },
    inUse: async (name: string) => (await workspace.client.readConcurrencyLimit(name)).active_slots,
  }
}

/** What the workspace's object keeps. */
async function rows({ workspace }: TestWorkspace, table: 'lease' | 'limits'): Promise<number> {
  const stub = asStub(concurrencyLimitsStub(workspace))
  return await runInDurableObject(
    stub,
    (_object, state) =>
      state.storage.sql.exec<{ count: number }>(`SELECT count(*) AS count FROM ${table}`).one()
        .count,
  )
}

describe('slots under a lease', () => {
  it('are held until the lease ends, all or none', async () => {
    const { lease, inUse, post } = await aLimited({ one: 1, two: 2 })
    const held = await lease(['two', 'one', 'nobody'])
    expect(held).toMatchObject({
      status: 200,
      limits: [{ name: 'one', limit: 1 }, { name: 'two' }],
    })
    expect((await lease(['two', 'one'])).status).toBe(423)
    expect([await inUse('one'), await inUse('two')]).toEqual([1, 1])
    const end = async () => await post(`${V2}/decrement-with-lease`, { lease_id: held.lease_id })
    expect((await end()).status).toBe(204)
    expect((await end()).status).toBe(204)
    expect([await inUse('one'), await inUse('two')]).toEqual([0, 0])
  })

  it('say in seconds when to ask again', async () => {
    const { key, lease } = await aLimited({ one: 1 })
    await lease(['one'])
    const response = await fetchWorker(`${API_URL}${V2}/increment-with-lease`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      body: JSON.stringify({ names: ['one'], slots: 1 }),
    })
    expect(response.status).toBe(423)
    const seconds = Number(response.headers.get('Retry-After'))
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThan(40)
    expect(await response.json()).toHaveProperty('detail')
  })

  it('are renewed; a lease that is gone is a 410', async () => {
    const { lease, post } = await aLimited({ one: 1 })
    const { lease_id } = await lease(['one'])
    const renew = async (id: string, body: object = { lease_duration: 60 }) =>
      (await post(`${V2}/leases/${id}/renew`, body)).status
    expect(await renew(lease_id)).toBe(204)
    expect(await renew(lease_id.toUpperCase(), {})).toBe(204)
    expect(await renew(NOWHERE)).toBe(410)
    expect(await renew('x')).toBe(422)
    expect(await renew(lease_id, { lease_duration: 1 })).toBe(422)
    await post(`${V2}/decrement-with-lease`, { lease_id })
    expect(await renew(lease_id)).toBe(410)
  })

  it('of another workspace are as none', async () => {
    const [mine, theirs] = [await aLimited({}), await aLimited({ one: 1 })]
    const { lease_id } = await theirs.lease(['one'])
    expect((await mine.lease(['one'])).limits).toEqual([])
    expect((await mine.post(`${V2}/leases/${lease_id}/renew`, {})).status).toBe(410)
    await mine.post(`${V2}/decrement-with-lease`, { lease_id })
    expect(await theirs.inUse('one')).toBe(1)
  })

  it('of names without limits cost nothing', async () => {
    const limited = await aLimited({ one: 1 })
    const { limits, lease_id } = await limited.lease(['tag:x', 'tag:y'])
    expect(limits).toEqual([])
    expect(lease_id).toMatch(/^[0-9a-f-]{36}$/)
    expect(await rows(limited, 'lease')).toBe(0)
    await limited.lease(['one'])
    expect(await rows(limited, 'lease')).toBe(1)
  })

  it('are heeded at once by whoever made or deleted the limit', async () => {
    const { client, lease } = await aLimited({})
    expect((await lease(['a'])).limits).toEqual([])
    await client.createConcurrencyLimit({ name: 'a', limit: 1 })
    expect((await lease(['a'])).limits).toHaveLength(1)
    expect((await lease(['a'])).status).toBe(423)
    await client.deleteConcurrencyLimit('a')
    expect((await lease(['a'])).limits).toEqual([])
  })

  it.for([
    [{ names: [], slots: 1 }, 422],
    [{ names: ['one'], slots: 0 }, 422],
    [{ names: ['one'], slots: 2 }, 422],
    [{ names: ['one'], slots: 1, mode: 'rate_limit' }, 422],
    [{ names: ['one'], slots: 1, mode: 'other' }, 422],
    [{ names: ['one'], slots: 1, lease_duration: 59 }, 422],
    [{ names: ['one'], slots: 1, lease_duration: 86_401 }, 422],
    [{ names: ['one'], slots: 1, holder: { type: 'person', id: NOWHERE } }, 422],
    [{ names: ['one'], slots: 1, holder: null, unknown: 1 }, 200],
  ] as const)('asked for with %j: %i', async ([body, status]) => {
    const { post } = await aLimited({ one: 1 })
    expect((await post(`${V2}/increment-with-lease`, body)).status).toBe(status)
  })
})

test('slots without a lease are counted', async () => {
  const { post, inUse } = await aLimited({ two: 2 })
  const increment = async (slots: number) =>
    (await post(`${V2}/increment`, { names: ['two', 'nobody'], slots })).status
  const decrement = async (slots: number) =>
    await post(`${V2}/decrement`, { names: ['two', 'nobody'], slots, occupancy_seconds: 1.5 })
  expect([await increment(1), await increment(1), await increment(1)]).toEqual([200, 200, 423])
  expect(await decrement(1)).toMatchObject({ status: 200, body: [{ name: 'two', limit: 2 }] })
  expect(await inUse('two')).toBe(1)
  await decrement(9)
  expect(await inUse('two')).toBe(0)
})

test('a limit that is switched off lets all through', async () => {
  const { client, lease, inUse } = await aLimited({ one: 1 })
  await client.updateConcurrencyLimit('one', { active: false })
  const answers = await Promise.all([lease(['one'], { slots: 9 }), lease(['one'])])
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(await inUse('one')).toBe(0)
})

describe('limits of tags', () => {
  const runs = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']

  it('are made, changed, listed and deleted under their tags', async () => {
    const { post, key } = await aLimited({ other: 1 })
    const made = await post('/concurrency_limits/', { tag: 'gpu', concurrency_limit: 1 })
    expect(made).toMatchObject({ status: 201, body: { tag: 'gpu', concurrency_limit: 1 } })
    const again = await post('/concurrency_limits/', { tag: 'gpu', concurrency_limit: 2 })
    const { id } = made.body as { id: string }
    expect(again).toMatchObject({ status: 200, body: { id, concurrency_limit: 2 } })
    for (const path of [`/concurrency_limits/${id}`, '/concurrency_limits/tag/gpu']) {
      expect(await call(key, 'GET', path)).toMatchObject({
        status: 200,
        body: { tag: 'gpu', active_slots: [] },
      })
    }
    expect(await post('/concurrency_limits/filter', {})).toMatchObject({ body: [{ tag: 'gpu' }] })
    const gone = async (path: string) => (await call(key, 'DELETE', path)).status
    expect(await gone('/concurrency_limits/tag/gpu')).toBe(200)
    expect(await gone('/concurrency_limits/tag/gpu')).toBe(404)
    expect(await gone(`/concurrency_limits/${id}`)).toBe(404)
    expect((await call(key, 'GET', '/concurrency_limits/tag/other')).status).toBe(404)
  })

  it('are held by task runs until they give them back, or an operator resets them', async () => {
    const { post, key } = await aLimited({ 'tag:gpu': 1, 'tag:none': 0 })
    const increment = async (tag: string, run = runs[0]) =>
      await post('/concurrency_limits/increment', { names: [tag, 'nobody'], task_run_id: run })
    const holders = async () =>
      ((await call(key, 'GET', '/concurrency_limits/tag/gpu')).body as { active_slots: string[] })
        .active_slots
    expect(await increment('gpu')).toMatchObject({ status: 200, body: [{ name: 'gpu' }] })
    expect((await increment('gpu', runs[1])).status).toBe(423)
    expect(await increment('none')).toMatchObject({
      status: 423,
      body: { detail: expect.stringContaining('is 0') },
    })
    expect(await holders()).toEqual([runs[0]])
    const back = { names: ['gpu', 'nobody'], task_run_id: runs[0] }
    expect(await post('/concurrency_limits/decrement', back)).toMatchObject({
      body: [{ name: 'tag:gpu' }],
    })
    expect(await holders()).toEqual([])
    await increment('gpu', runs[0])
    const reset = await post('/concurrency_limits/tag/gpu/reset', { slot_override: [runs[1]] })
    expect(reset.status).toBe(200)
    expect(await holders()).toEqual([runs[1]])
    expect((await post('/concurrency_limits/tag/nobody/reset', {})).status).toBe(404)
  })

  it('hold back task runs whose states the server judges', async () => {
    const { client } = await aLimited({ 'tag:gpu': 1, 'tag:none': 0 })
    const aTaskRun = async (tags: string[]) =>
      await client.createTaskRun({ task_key: 't', dynamic_key: crypto.randomUUID(), tags })
    const [first, second, never] = [
      await aTaskRun(['gpu', 'x']),
      await aTaskRun(['gpu']),
      await aTaskRun(['none']),
    ]
    const run = async (id: string) => await client.setTaskRunState(id, { type: 'RUNNING' })
    expect(await run(first.id)).toMatchObject({ status: 'ACCEPT' })
    expect(await run(second.id)).toMatchObject({
      status: 'WAIT',
      details: { reason: expect.stringContaining('gpu') },
    })
    expect(await run(never.id)).toMatchObject({ status: 'ABORT' })
    await client.setTaskRunState(first.id, { type: 'COMPLETED' })
    expect(await run(second.id)).toMatchObject({ status: 'ACCEPT' })
    await client.setTaskRunState(second.id, { type: 'FAILED' }, true)
    expect((await client.readConcurrencyLimit('tag:gpu')).active_slots).toBe(0)
  })
})

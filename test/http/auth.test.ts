import { describe, expect, test } from 'vitest'
import { revokeApiKey } from '#storage/api-keys.ts'
import { AccessCache } from '../../worker/http/access-cache.ts'
import { signRunToken } from '../../worker/operations/run-token.ts'
import { aWorkspace, API_URL, bindings, clientOf, fetchWorker } from '../support/workspace.ts'

const SECOND = 1_000_000
const MINUTE = 60 * SECOND

async function countWith(authorization: string | undefined, base = API_URL): Promise<Response> {
  return await fetchWorker(`${base}/flows/count`, {
    method: 'POST',
    headers: authorization === undefined ? {} : { Authorization: authorization },
  })
}

describe('a key', () => {
  test.for<[name: string, header: (key: string) => string]>([
    ['Bearer', (key) => `Bearer ${key}`],
    ['bearer in small letters', (key) => `bearer ${key}`],
    ['Basic, the whole text', (key) => `Basic ${btoa(key)}`],
    ['Basic, as password', (key) => `Basic ${btoa(`anything:${key}`)}`],
    ['Basic, as name', (key) => `Basic ${btoa(`${key}:anything`)}`],
    ['Basic, as name without password', (key) => `Basic ${btoa(`${key}:`)}`],
  ])('is taken as %s', async ([, header]) => {
    const { key } = await aWorkspace()
    expect((await countWith(header(key))).status).toBe(200)
  })

  test.for<[name: string, header: (key: string) => string | undefined]>([
    ['no header', () => undefined],
    ['an empty one', () => ''],
    ['no scheme', (key) => key],
    ['another scheme', (key) => `Digest ${key}`],
    ['a typo', (key) => `Bearer ${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`],
    ['what is no base64', () => 'Basic %%%'],
    ['no key in it', () => `Basic ${btoa('a:b')}`],
    ['a run token that nobody signed', () => 'Bearer hgr_e30.e30'],
  ])('is missing with %s', async ([, header]) => {
    const { key } = await aWorkspace()
    const response = await countWith(header(key))
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ exception_message: 'Unauthorized' })
  })

  test('that is right in form but not known is refused', async () => {
    const { key } = await aWorkspace()
    await bindings.DB.prepare('DELETE FROM api_key WHERE hint = ?')
      .bind(`hg_key_…${key.slice(-4)}`)
      .run()
    await expect(clientOf(key).countFlows()).rejects.toMatchObject({ status: 401 })
  })

  test('that was revoked before it was ever used is refused', async () => {
    const { key, workspace } = await aWorkspace()
    const row = await bindings.DB.prepare('SELECT id FROM api_key WHERE workspace_id = ?')
      .bind(workspace.id)
      .first<{ id: string }>()
    await revokeApiKey(workspace, row?.id ?? '', Date.now() * 1000)
    await expect(clientOf(key).countFlows()).rejects.toMatchObject({ status: 401 })
  })

  test('that has expired is refused', async () => {
    const { key, workspace } = await aWorkspace()
    await bindings.DB.prepare('UPDATE api_key SET expires = ? WHERE workspace_id = ?')
      .bind('2020-01-01T00:00:00.000000Z', workspace.id)
      .run()
    await expect(clientOf(key).countFlows()).rejects.toMatchObject({ status: 401 })
  })

  test('opens its own address only', async () => {
    const { key, workspace } = await aWorkspace()
    const other = await aWorkspace()
    const at = async (account: string, id: string) =>
      (await countWith(`Bearer ${key}`, `${API_URL}/accounts/${account}/workspaces/${id}`)).status
    expect(await at(workspace.account_id, workspace.id)).toBe(200)
    expect(await at(workspace.account_id, other.workspace.id)).toBe(404)
    expect(await at(other.workspace.account_id, workspace.id)).toBe(404)
    expect(await at(other.workspace.account_id, other.workspace.id)).toBe(404)
    expect(await at('x', 'y')).toBe(404)
  })
})

describe('a run token', () => {
  test('reads, and makes flows for its subflows', async () => {
    const client = clientOf(await aToken())
    expect(await client.countFlows()).toBe(0)
    const flow = await client.createFlow({ name: 'sub' })
    expect(await client.readFlow(flow.id)).toEqual(flow)
  })

  test('configures and deletes nothing', async () => {
    const client = clientOf(await aToken())
    const flow = await client.createFlow({ name: 'sub' })
    await expect(client.deleteFlow(flow.id)).rejects.toMatchObject({ status: 403 })
    await expect(client.updateFlow(flow.id, { tags: [] })).rejects.toMatchObject({ status: 403 })
  })

  test('ends', async () => {
    const token = await aToken({ expires: Math.floor(Date.now() / 1000) - 1 })
    await expect(clientOf(token).countFlows()).rejects.toMatchObject({ status: 401 })
  })

  test('of another signer is refused', async () => {
    const token = await aToken({ secret: 'another secret' })
    await expect(clientOf(token).countFlows()).rejects.toMatchObject({ status: 401 })
  })
})

describe('what the control store said', () => {
  test('is fresh for half of the 5 seconds in which a key must end, also that it knows nothing', async () => {
    const { store, read } = aStore()
    store.value = undefined
    expect(await read(0)).toBe(undefined)
    store.value = 'known'
    expect(await read(2 * SECOND)).toBe(undefined)
    expect(await read(2.5 * SECOND)).toBe('known')
    expect(store.asked).toBe(2)
  })

  test('serves for 15 minutes what must go on, and nothing else, while the store is away', async () => {
    const { store, read } = aStore()
    await read(0)
    store.away = true
    expect(await read(6 * SECOND, true)).toBe('known')
    await expect(read(6 * SECOND)).rejects.toThrow('Network connection lost')
    expect(await read(14 * MINUTE, true)).toBe('known')
    await expect(read(16 * MINUTE, true)).rejects.toThrow('Network connection lost')
  })

  test('is not asked again at each request while the store is away', async () => {
    const { store, read } = aStore()
    await read(0)
    store.away = true
    await read(6 * SECOND, true)
    await read(7 * SECOND, true)
    await read(10 * SECOND, true)
    expect(store.asked).toBe(2)
  })

  test('that a key is unknown is no reason to let it in while the store is away', async () => {
    const { store, read } = aStore()
    store.value = undefined
    await read(0, true)
    store.away = true
    await expect(read(6 * SECOND, true)).rejects.toThrow('Network connection lost')
  })

  test('a store that hangs counts as away after a second', async () => {
    const hanging = new AccessCache<string>(
      (() => {
        const answers = [Promise.resolve('known'), new Promise<string>(() => undefined)]
        return async () => await (answers.shift() ?? Promise.resolve(undefined))
      })(),
    )
    expect(await hanging.read(bindings.DB, 'id', 0, true)).toBe('known')
    expect(await hanging.read(bindings.DB, 'id', 6 * SECOND, true)).toBe('known')
  })
})

async function aToken(given: { expires?: number; secret?: string } = {}) {
  const { workspace } = await aWorkspace()
  return await signRunToken(given.secret ?? bindings.HEADGATE_SECRET, {
    workspace_id: workspace.id,
    flow_run_id: '00000000-0000-4000-8000-000000000000',
    fence: 1,
    home_key: '00000000',
    issued: Math.floor(Date.now() / 1000),
    expires: given.expires ?? Math.floor(Date.now() / 1000) + 60,
  })
}

/** The far end: a store that can go away. */
function aStore() {
  const store = { value: 'known' as string | undefined, away: false, asked: 0 }
  const cache = new AccessCache(async () => {
    store.asked += 1
    if (store.away) {
      throw new Error('D1_ERROR: Network connection lost.')
    }
    return await Promise.resolve(store.value)
  })
  const read = async (now: number, survivesOutage = false) =>
    await cache.read(bindings.DB, 'id', now, survivesOutage)
  return { store, read }
}

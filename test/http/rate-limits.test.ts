import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newApp } from '../../worker/app.ts'
import { aWorkspace, API_URL, bindings } from '../support/workspace.ts'

// The middle of a period, so that none ends while requests are counted.
const START = Date.parse('2026-11-24T12:00:04Z')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(START)
})
afterEach(() => {
  vi.useRealTimers()
})

const app = newApp()

function asker(given: Partial<typeof bindings>) {
  return async (key: string, path: string, method = 'GET', body?: unknown) => {
    const context = createExecutionContext()
    const request = new Request(API_URL + path, {
      method,
      headers: { Authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const response = await app.fetch(request, { ...bindings, ...given }, context)
    await waitOnExecutionContext(context)
    return response
  }
}

const rateHeaders = (response: Response) =>
  ['Limit', 'Remaining', 'Reset', 'Policy'].map((name) => response.headers.get(`RateLimit-${name}`))

test('a key is told what it has left, refused when that is nothing, and served in the next period', async () => {
  const ask = asker({ HEADGATE_REQUESTS_PER_KEY: '3' })
  const { key } = await aWorkspace()
  const { key: other } = await aWorkspace()
  for (const left of ['2', '1', '0']) {
    const response = await ask(key, '/flows/count', 'POST')
    expect(response.status).toBe(200)
    expect(rateHeaders(response)).toEqual(['3', left, '6', '3;w=10'])
  }
  const refused = await ask(key, '/flows/count', 'POST')
  expect(refused.status).toBe(429)
  expect(rateHeaders(refused)).toEqual(['3', '0', '6', '3;w=10'])
  expect(refused.headers.get('Retry-After')).toBe('6')
  expect(await refused.json()).toEqual({
    exception_message: 'Too Many Requests',
    detail:
      "This key has 3 requests of the kind 'api' in 10 s, and they are used up; try again in 6 s.",
  })
  expect((await ask(other, '/flows/count', 'POST')).status).toBe(200)
  // What it said, is so.
  vi.setSystemTime(START + 6000)
  const again = await ask(key, '/flows/count', 'POST')
  expect(again.status).toBe(200)
  expect(rateHeaders(again)).toEqual(['3', '2', '10', '3;w=10'])
})

test('logs and claims do not use up what the API needs, nor it what they need', async () => {
  const ask = asker({ HEADGATE_REQUESTS_PER_KEY: '2' })
  const { key, client } = await aWorkspace()
  await client.createWorkPool({ name: 'pool', type: 'process' })
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const kinds: [string, unknown][] = [
    ['/logs/', []],
    ['/work_pools/pool/claim', { agent, limit: 1 }],
    ['/flows/count', {}],
  ]
  for (const [path, body] of kinds) {
    const statuses = []
    for (let request = 0; request < 3; request += 1) {
      statuses.push((await ask(key, path, 'POST', body)).status)
    }
    expect(statuses.map((status) => status < 300)).toEqual([true, true, false])
    expect(statuses.at(-1)).toBe(429)
  }
})

test('a workspace has a limit of its own, which all of its keys use up', async () => {
  const ask = asker({ HEADGATE_REQUESTS_PER_KEY: '100', HEADGATE_REQUESTS_PER_WORKSPACE: '2' })
  const { key, client } = await aWorkspace()
  const second = await client.createApiKey({ name: 'second', kind: 'workspace' })
  expect(rateHeaders(await ask(key, '/flows/count', 'POST'))[0]).toBe('2')
  expect((await ask(second.key, '/flows/count', 'POST')).status).toBe(200)
  const refused = await ask(second.key, '/flows/count', 'POST')
  expect(refused.status).toBe(429)
  expect(await refused.json()).toMatchObject({
    detail: expect.stringMatching(/^This workspace has 2 requests/),
  })
  const { key: other } = await aWorkspace()
  expect((await ask(other, '/flows/count', 'POST')).status).toBe(200)
})

test('who is not known uses up nothing and is told nothing', async () => {
  const ask = asker({ HEADGATE_REQUESTS_PER_KEY: '1' })
  const { key } = await aWorkspace()
  for (let request = 0; request < 3; request += 1) {
    const response = await ask(`${key.slice(0, -1)}x`, '/flows/count', 'POST')
    expect(response.status).toBe(401)
    expect(rateHeaders(response)).toEqual([null, null, null, null])
  }
  expect((await ask(key, '/flows/count', 'POST')).status).toBe(200)
})

/** Cloudflare's own counter, which other isolates use too. */
class SharedCounter {
  readonly keys: string[] = []
  readonly #answer: () => Promise<{ success: boolean }>

  constructor(answer: () => Promise<{ success: boolean }>) {
    this.#answer = answer
  }

  async limit({ key }: { key: string }): Promise<{ success: boolean }> {
    this.keys.push(key)
    return await this.#answer()
  }
}

test('what other isolates have counted is obeyed', async () => {
  const { key, workspace } = await aWorkspace()
  const counter = new SharedCounter(async () => ({ success: false }))
  const ask = asker({ HEADGATE_REQUESTS_PER_WORKSPACE: '5', REQUESTS_OF_WORKSPACES: counter })
  const refused = await ask(key, '/flows/count', 'POST')
  expect(refused.status).toBe(429)
  expect(rateHeaders(refused)).toEqual(['5', '0', '6', '5;w=10'])
  expect(counter.keys).toEqual([`api ${workspace.id}`])
})

test('without limits, or with a counter that is away, everybody is served', async () => {
  const { key } = await aWorkspace()
  const away = new SharedCounter(() => Promise.reject(new Error('away')))
  const ask = asker({ HEADGATE_REQUESTS_PER_KEY: '5', REQUESTS_OF_KEYS: away })
  expect((await ask(key, '/flows/count', 'POST')).status).toBe(200)
  const unlimited = await asker({
    HEADGATE_REQUESTS_PER_KEY: 'off',
    HEADGATE_REQUESTS_PER_WORKSPACE: 'off',
  })(key, '/flows/count', 'POST')
  expect(unlimited.status).toBe(200)
  expect(rateHeaders(unlimited)).toEqual([null, null, null, null])
})

test('a limit that is no number is not taken for none', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  const { key } = await aWorkspace()
  const response = await asker({ HEADGATE_REQUESTS_PER_KEY: 'many' })(key, '/flows/count', 'POST')
  expect(response.status).toBe(500)
  said.mockRestore()
})

test('there are limits where nobody has set any, and wrangler.toml binds them', async () => {
  const { key } = await aWorkspace()
  const ask = asker({ HEADGATE_REQUESTS_PER_KEY: '', HEADGATE_REQUESTS_PER_WORKSPACE: '' })
  expect(await bindings.REQUESTS_OF_KEYS?.limit({ key: 'one' })).toEqual({ success: true })
  expect(await bindings.REQUESTS_OF_WORKSPACES?.limit({ key: 'one' })).toEqual({ success: true })
  expect(rateHeaders(await ask(key, '/flows/count', 'POST'))).toEqual([
    '3000',
    '2999',
    '6',
    '3000;w=10',
  ])
})

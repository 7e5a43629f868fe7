import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { apiKey } from '#core/api-key.ts'
import { newApp } from '../../worker/app.ts'
import { aWorkspace, API_URL, bindings } from '../support/workspace.ts'

// The middle of a period, so that none ends while requests are counted.
const START = Date.parse('2026-11-24T12:00:01Z')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(START)
})
afterEach(() => {
  vi.useRealTimers()
})

const app = newApp()
const anAddress = () => `2001:db8:${crypto.randomUUID().slice(0, 4)}:1::1`
const anInventedKey = () => apiKey(crypto.getRandomValues(new Uint8Array(32)))

async function ask(address: string | undefined, key: string | undefined, init: RequestInit = {}) {
  const context = createExecutionContext()
  const headers = new Headers(init.headers)
  if (address !== undefined) {
    headers.set('CF-Connecting-IP', address)
  }
  if (key !== undefined) {
    headers.set('Authorization', `Bearer ${key}`)
  }
  const path = headers.has('Upgrade') ? '/events/in' : '/work_pools/none'
  const response = await app.fetch(
    new Request(API_URL + path, { ...init, headers }),
    bindings,
    context,
  )
  response.webSocket?.accept()
  response.webSocket?.close()
  await waitOnExecutionContext(context)
  return response
}

const MANY = 301

test('a network that sends too many wrong keys, or none, is told to wait, and others are not', async () => {
  const [address, other] = [anAddress(), anAddress()]
  const { key } = await aWorkspace()
  const late = await aWorkspace()
  expect((await ask(address, key)).status).toBe(404)
  for (let count = 1; count < MANY; count += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    expect((await ask(address, count % 2 === 0 ? anInventedKey() : undefined)).status).toBe(401)
  }
  const refused = await ask(address, anInventedKey())
  expect(refused.status).toBe(429)
  expect(refused.headers.get('Retry-After')).toBe('9')
  expect((await ask(address, undefined)).status).toBe(429)
  // A key that has been seen is served from there; one that nobody knows is not even looked up.
  expect((await ask(address, key)).status).toBe(404)
  expect((await ask(address, late.key)).status).toBe(429)
  expect((await ask(other, late.key)).status).toBe(404)
  expect((await ask(other, anInventedKey())).status).toBe(401)
  // Where nobody says who asks, as on a single machine, nobody is counted.
  expect((await ask(undefined, anInventedKey())).status).toBe(401)
  vi.setSystemTime(START + 9000)
  expect((await ask(address, anInventedKey())).status).toBe(401)
})

test('sockets whose client has not said who it is are limited by network', async () => {
  const address = anAddress()
  const knock = async () =>
    await ask(address, undefined, {
      headers: { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'prefect' },
    })
  const statuses = await Promise.all(Array.from({ length: 1001 }, knock))
  expect(statuses.filter(({ status }) => status === 101)).toHaveLength(1000)
  expect(statuses.filter(({ status }) => status === 429)).toHaveLength(1)
})

import { expect, test } from 'vitest'
import { aWorkspace, API_URL, clientOf, fetchWorker } from '../support/workspace.ts'

test.for([
  ['/health', 200, true],
  ['/ready', 200, { message: 'OK' }],
  ['/version', 200, '0.8.4'],
  ['/admin/version', 200, '3.99.0'],
  ['/hello/', 200, '👋'],
  ['/csrf-token?client=1', 422, { detail: 'CSRF protection is disabled.' }],
] as const)('%s answers without a key', async ([path, status, body]) => {
  const response = await fetchWorker(API_URL + path)
  expect(response.status).toBe(status)
  expect(await response.json()).toEqual(body)
  expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('an unknown path is a 404 in JSON', async () => {
  const response = await fetchWorker(`${API_URL}/nothing/here`)
  expect(response.status).toBe(404)
  expect(await response.json()).toEqual({ detail: 'Not Found' })
})

test('a wrong method is a 405 in JSON that names the right ones', async () => {
  const response = await fetchWorker(`${API_URL}/health`, { method: 'DELETE' })
  expect(response.status).toBe(405)
  expect(response.headers.get('Allow')).toBe('GET')
  expect(await response.json()).toEqual({ detail: 'Method Not Allowed' })
})

test('the long form of the address serves the same routes', async () => {
  const { workspace, key } = await aWorkspace()
  const client = clientOf(
    key,
    `${API_URL}/accounts/${workspace.account_id}/workspaces/${workspace.id}`,
  )
  expect(await client.health()).toBe(true)
})

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import { newApp } from '../../worker/app.ts'
import { isForeignOrigin } from '../../worker/http/origins.ts'
import { aWorkspace, API_URL, bindings, fetchWorker } from '../support/workspace.ts'

const NOTHING_MAY_LOAD = "default-src 'none'; frame-ancestors 'none'"
const PAGE = 'https://app.example'

/** An answer of the Worker with other settings. */
async function ask(
  given: Partial<typeof bindings>,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const context = createExecutionContext()
  const request = new Request(API_URL + path, init)
  const response = await newApp().fetch(request, { ...bindings, ...given }, context)
  await waitOnExecutionContext(context)
  return response
}

const corsHeaders = (response: Response) =>
  [...response.headers].filter(([name]) => name.startsWith('access-control-'))

describe('an answer', () => {
  test.for([
    ['of a list', '/flows/filter', 'POST', 200],
    ['without a body', '/admin/storage', 'DELETE', 204],
    ['that its handler wrote by itself', '/work_pools/', 'POST', 201],
    ['about a path that is none', '/nothing', 'GET', 404],
    ['about a method that is none', '/health', 'DELETE', 405],
    ['to a body that is wrong', '/flows/', 'POST', 422],
  ] as const)(
    '%s says that it is no page and is kept by nobody',
    async ([, path, method, status]) => {
      const { key } = await aWorkspace()
      const body = path === '/work_pools/' ? { name: 'pool', type: 'process' } : {}
      const response = await fetchWorker(API_URL + path, {
        method,
        headers: { Authorization: `Bearer ${key}` },
        ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
      })
      expect(response.status).toBe(status)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-security-policy': NOTHING_MAY_LOAD,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
        'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      })
      expect(response.headers.has('Strict-Transport-Security')).toBe(false)
    },
  )

  test('that is a file or a text is protected too', async () => {
    const { client, key } = await aWorkspace()
    const flow = await client.createFlow({ name: 'flow' })
    const run = await client.createFlowRun({ flow_id: flow.id })
    const response = await fetchWorker(`${API_URL}/flow_runs/${run.id}/logs/download`, {
      headers: { Authorization: `Bearer ${key}` },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toContain('text/csv')
    expect(response.headers.get('Content-Security-Policy')).toBe(NOTHING_MAY_LOAD)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(response.headers.get('X-Request-Id')).not.toBeNull()
    await response.body?.cancel()
  })

  test('that is public may be kept, and the page of the API has a policy of its own', async () => {
    const document = await fetchWorker(`${API_URL}/openapi.json`)
    expect(document.headers.get('Cache-Control')).toBe('public, max-age=60')
    const page = await fetchWorker(`${API_URL}/docs`)
    const policy = page.headers.get('Content-Security-Policy') ?? ''
    expect(policy).toMatch(/script-src 'self' 'nonce-[0-9a-f-]{36}';/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(page.headers.get('X-Content-Type-Options')).toBe('nosniff')
  })

  test('by https asks to be called by https alone', async () => {
    const response = await fetchWorker('https://headgate.test/api/health')
    expect(response.headers.get('Strict-Transport-Security')).toBe('max-age=31536000')
  })
})

describe('a page of another origin', () => {
  test.for(['GET', 'OPTIONS'])('reads nothing by default (%s)', async (method) => {
    const { key } = await aWorkspace()
    const response = await fetchWorker(`${API_URL}/admin/settings`, {
      method,
      headers: {
        Authorization: `Bearer ${key}`,
        Origin: PAGE,
        'Access-Control-Request-Method': 'GET',
      },
    })
    expect(corsHeaders(response)).toEqual([])
    expect(response.headers.get('Cross-Origin-Resource-Policy')).toBe('same-origin')
  })

  test('reads answers to its key when it is configured, and never with cookies', async () => {
    const { key } = await aWorkspace()
    const settings = { HEADGATE_CORS_ORIGINS: `https://other.example, ${PAGE}` }
    const headers = { Authorization: `Bearer ${key}`, Origin: PAGE }
    const response = await ask(settings, '/admin/settings', { headers })
    expect(response.status).toBe(200)
    expect(response.headers.get('Access-Control-Allow-Origin')).toBe(PAGE)
    expect(response.headers.get('Access-Control-Expose-Headers')).toContain('Retry-After')
    expect(response.headers.has('Access-Control-Allow-Credentials')).toBe(false)
    expect(response.headers.get('Vary')).toBe('Origin')
    const preflight = await ask(settings, '/flows/', {
      method: 'OPTIONS',
      headers: {
        Origin: PAGE,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization,content-type',
      },
    })
    expect(preflight.status).toBe(204)
    expect(Object.fromEntries(corsHeaders(preflight))).toEqual({
      'access-control-allow-origin': PAGE,
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-max-age': '600',
    })
  })

  test.for(['https://evil.example', `${PAGE}.evil.example`, 'http://app.example', 'null'])(
    '%s reads nothing when only another is configured',
    async (origin) => {
      const { key } = await aWorkspace()
      const response = await ask({ HEADGATE_CORS_ORIGINS: PAGE }, '/admin/settings', {
        headers: { Authorization: `Bearer ${key}`, Origin: origin },
      })
      expect(corsHeaders(response)).toEqual([])
      expect(response.headers.get('Vary')).toBe('Origin')
    },
  )
})

describe('a request with a cookie is foreign', () => {
  const request = (headers: Record<string, string>, url = 'https://headgate.test/api/feed') =>
    new Request(url, { headers })

  test.for<[string, Record<string, string>, boolean]>([
    ['from the console', { Origin: 'https://headgate.test' }, false],
    ['from no browser', {}, false],
    ['typed by its user', { 'Sec-Fetch-Site': 'none' }, false],
    ['from the console without an origin', { 'Sec-Fetch-Site': 'same-origin' }, false],
    ['from another site', { Origin: 'https://evil.example' }, true],
    ['from a sibling', { Origin: 'https://x.headgate.test' }, true],
    ['from another port', { Origin: 'https://headgate.test:8443' }, true],
    ['from a page without TLS', { Origin: 'http://headgate.test' }, true],
    ['from a sandboxed frame', { Origin: 'null' }, true],
    ['from another site without an origin', { 'Sec-Fetch-Site': 'cross-site' }, true],
    ['from a sibling without an origin', { 'Sec-Fetch-Site': 'same-site' }, true],
  ])('or not: %s', ([, headers, foreign]) => {
    expect(isForeignOrigin(request(headers))).toBe(foreign)
  })

  test('or not: behind a proxy that ends TLS', () => {
    const behind = 'http://headgate.test/api/feed'
    expect(isForeignOrigin(request({ Origin: 'https://headgate.test' }, behind))).toBe(false)
    expect(isForeignOrigin(request({ Origin: 'https://evil.example' }, behind))).toBe(true)
  })
})

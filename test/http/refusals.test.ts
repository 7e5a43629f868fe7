import { beforeAll, describe, expect, test } from 'vitest'
import { MAX_BODY_BYTES } from '../../worker/http/input.ts'
import { closed, routes, send, withBody } from '../support/routes.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

let key = ''
beforeAll(async () => {
  ;({ key } = await aWorkspace())
})

const withPath = (path: string) => ({
  path: path.replaceAll(/\{(\w*id)\}/g, crypto.randomUUID()).replaceAll(/\{\w+\}/g, 'x'),
})

test.for(closed)('$name answers 401 to a key that is none', async (route) => {
  const response = await send(route, { key: `${key}x`, ...withPath(route.path) })
  expect(response.status).toBe(401)
  expect(response.headers.get('WWW-Authenticate')).toBe('Bearer')
  expect(await response.json()).toEqual({ exception_message: 'Unauthorized' })
})

describe('a body', () => {
  const closedWithBody = withBody.filter((route) => route.operation.security.length > 0)

  test.for(closedWithBody)('too large for $name is a 413', async (route) => {
    const text = `"${'x'.repeat(MAX_BODY_BYTES)}"`
    const response = await send(route, { key, ...withPath(route.path), text })
    expect(response.status).toBe(413)
    expect(await response.json()).toEqual({ detail: expect.stringContaining('larger') })
  })

  test.for(closedWithBody)('that is no JSON is refused by $name in one shape', async (route) => {
    const response = await send(route, { key, ...withPath(route.path), text: '{"a": ' })
    expect(response.status).toBe(422)
    expect(await response.json()).toEqual({
      exception_message: 'Invalid request received.',
      exception_detail: [
        { loc: ['body'], msg: expect.stringMatching(/^JSON decode error: /), type: 'json_invalid' },
      ],
      request_body: null,
    })
  })

  test('may be missing where all in it is optional, but not be blank', async () => {
    const filter = async (body: string | null) => {
      const headers = { Authorization: `Bearer ${key}` }
      const init = { method: 'POST', headers, body }
      return (await fetchWorker(`${API_URL}/deployments/filter`, init)).status
    }
    expect([await filter(null), await filter(''), await filter('\n'), await filter(' ')]).toEqual([
      200, 200, 422, 422,
    ])
  })

  test.for<[path: string, body: object, where: (string | number)[]]>([
    ['/flows/', { name: 1 }, ['body', 'name']],
    ['/flow_runs/', { flow_id: 'x' }, ['body', 'flow_id']],
    [
      '/flow_runs/filter',
      { flow_runs: { id: { any_: [1] } } },
      ['body', 'flow_runs', 'id', 'any_', 0],
    ],
    ['/flow_runs/filter', { limit: 201 }, ['body', 'limit']],
    ['/work_pools/', { name: 'x', concurrency_limit: -1 }, ['body', 'concurrency_limit']],
    ['/logs/', [{ name: 'x' }], ['body', 0, 'level']],
  ])('of %s says where it is wrong, and what was sent', async ([path, body, where]) => {
    const response = await fetchWorker(API_URL + path, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    })
    expect(response.status).toBe(422)
    const answer: { exception_detail: { loc: unknown; msg: unknown; type: unknown }[] } =
      await response.json()
    expect(answer).toMatchObject({
      exception_message: 'Invalid request received.',
      request_body: body,
    })
    expect(answer.exception_detail[0]).toEqual({
      loc: where,
      msg: expect.any(String),
      type: expect.stringMatching(/^[a-z_]+$/),
    })
  })

  test('may hold what newer and Cloud-aware clients say of a deployment', async () => {
    const { client } = await aWorkspace()
    const flow = await client.createFlow({ name: 'flow' })
    const deployment = await client.createDeployment({
      name: 'deployment',
      flow_id: flow.id,
      version_info: { type: 'git', version: '1' },
      branch: 'main',
      base: null,
      root: null,
    })
    expect(deployment).not.toHaveProperty('branch')
  })
})

describe('an address', () => {
  const paths = [...new Set(routes.map(({ path }) => path))]

  test.for(paths)('%s names its methods to who asks with another', async (path) => {
    const response = await fetchWorker(API_URL + withPath(path).path, { method: 'TRACE' }).catch(
      async () => await fetchWorker(API_URL + withPath(path).path, { method: 'OPTIONS' }),
    )
    expect(response.status).toBe(405)
    const own = routes.filter((route) => route.path === path)
    expect(response.headers.get('Allow')?.split(', ')).toEqual(
      expect.arrayContaining(own.map(({ method }) => method.toUpperCase())),
    )
    expect(await response.json()).toEqual({ detail: 'Method Not Allowed' })
  })

  test.for(['/nothing', '/flows/not-an-id', '/flow_runs/1/set_state/more'])(
    '%s that is none is a 404 in JSON',
    async (path) => {
      const response = await fetchWorker(API_URL + path, {
        headers: { Authorization: `Bearer ${key}` },
      })
      expect(response.status).toBe(404)
      expect(await response.json()).toEqual({ detail: 'Not Found' })
    },
  )
})

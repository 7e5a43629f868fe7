import { beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { MAX_JSON_DEPTH } from '#domain/json-bounds.ts'
import { MAX_BODY_BYTES, readBody } from '../../worker/http/input.ts'
import { call } from '../support/call.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

/** What is sent here would run for minutes, for years or out of memory, if nothing ended it: each test is ended by its time limit. */
let key = ''
let client: Client
beforeAll(async () => {
  ;({ key, client } = await aWorkspace())
})

async function post(path: string, body: BodyInit): Promise<{ status: number; text: string }> {
  const response = await fetchWorker(API_URL + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}` },
    body,
  })
  return { status: response.status, text: await response.text() }
}

/** A body without a length, of which a chunk comes whenever one is asked for. */
function endless(chunk: string, wait?: Promise<void>): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(chunk)
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      await wait
      controller.enqueue(bytes)
    },
  })
}

describe('a body', () => {
  test('of no length that goes on for ever is a 413', async () => {
    const { status } = await post('/flows/', endless(`"${'x'.repeat(100_000)}`))
    expect(status).toBe(413)
  })

  test('that does not come is given up, and nothing waits for it but its own request', async () => {
    const { promise: never } = Promise.withResolvers<void>()
    const request = new Request(API_URL, { method: 'POST', body: endless('{', never) })
    await expect(readBody(request, false, 50)).rejects.toThrow('did not come within')

    const gone = new AbortController()
    const slow = fetchWorker(`${API_URL}/flows/`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      body: endless('{', never),
      signal: gone.signal,
    })
    const settled = slow.then(
      () => 'answered',
      () => 'gone',
    )
    expect((await client.createFlow({ name: 'meanwhile' })).name).toBe('meanwhile')
    gone.abort()
    expect(await settled).toBe('gone')
  })

  test.for([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])('of %s in one another is refused, however deep they go', async ([, open = '', close = '']) => {
    const body = (levels: number) =>
      `{"name":"v_${levels}_${open.length}","value":${open.repeat(levels)}1${close.repeat(levels)}}`
    const most = Math.floor(MAX_BODY_BYTES / (open.length + close.length)) - 100
    for (const levels of [MAX_JSON_DEPTH, 5_000, 100_000, most]) {
      const { status, text } = await post('/variables/', body(levels))
      expect(status).toBe(422)
      expect(text).toMatch(/levels deep|more than \d+ values/)
    }
    expect((await post('/variables/', body(MAX_JSON_DEPTH - 1))).status).toBe(201)
  })

  test('with more wrong items than anybody reads names the first of them, or none', async () => {
    const wrong = (items: number) => `{"flows":{"id":{"any_":[${'1,'.repeat(items)}1]}}}`
    const { status, text } = await post('/flows/filter', wrong(50_000))
    expect(status).toBe(422)
    expect((JSON.parse(text) as { exception_detail: object[] }).exception_detail).toHaveLength(100)
    expect((await post('/flows/filter', wrong(390_000))).status).toBe(422)
    const most = await post('/flows/filter', wrong(MAX_BODY_BYTES / 2 - 100))
    expect(most).toMatchObject({ status: 422, text: expect.stringContaining('values') })
  })

  test('with more items than a statement has room for is a filter like any other', async () => {
    const any_ = Array.from({ length: 100_000 }, () => crypto.randomUUID())
    const found = await call(key, 'POST', '/flows/filter', { flows: { id: { any_ } } })
    expect(found).toEqual({ status: 200, body: [] })
  })
})

/** Expressions that go back and try again take twice as long for each letter more. */
const EVIL = ['^(a+)+$', '^(a|aa)+$', '(x+x+)+y', '^([a-z]+)*[0-9]$', '(.*a){25}']
const TEXT = `${'a'.repeat(100_000)}!`

describe('a regular expression', () => {
  test.for(EVIL)('of a user, %s, takes no time over a long text', async (pattern) => {
    const schema = { type: 'object', properties: { x: { type: 'string', pattern } } }
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema,
      values: { x: TEXT },
    })
    expect(answer.status).toBe(200)

    const flow = await client.createFlow({ name: pattern })
    const deployment = await client.createDeployment({
      name: 'with a pattern',
      flow_id: flow.id,
      parameter_openapi_schema: schema,
      enforce_parameter_schema: true,
    })
    const run = await call(key, 'POST', `/deployments/${deployment.id}/create_flow_run`, {
      parameters: { x: TEXT },
    })
    expect([201, 409]).toContain(run.status)
  })

  test.for(EVIL)('for names of properties, %s, takes no time either', async (pattern) => {
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema: { patternProperties: { [pattern]: false } },
      values: { [TEXT]: 1 },
    })
    // Too much work is a refusal too.
    expect([200, 422]).toContain(answer.status)
  })

  test('that is a long text itself is not read', async () => {
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema: { properties: { x: { pattern: '(a{1000}){1000}'.repeat(10_000) } } },
      values: { x: TEXT },
    })
    expect(answer.status).toBe(200)
  })

  test('in many places costs what they all cost together', async () => {
    const anyOf = Array.from({ length: 10_000 }, (_, index) => ({ pattern: `^(b*a)*${index}$` }))
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema: { properties: { x: { anyOf } } },
      values: { x: TEXT },
    })
    expect(answer).toMatchObject({
      status: 422,
      body: { detail: expect.stringContaining('steps') },
    })
  })

  test('of labels is short', async () => {
    const filter = { resource: { labels: { a: `${'*a'.repeat(100_000)}b` } } }
    const answer = await call(key, 'POST', '/events/filter', { filter })
    expect(answer.status).toBe(422)
  })
})

const LOOP = (body: string) => `{% for i in 'x' * 40000 %}${body}{% endfor %}`
const LONG = "{% set s = ' ' * 400000 %}"

describe('a template', () => {
  test.for([
    ['counts for ever', LOOP(LOOP('x'))],
    ['grows', `{% set n = namespace(s='x') %}${LOOP('{% set n.s = n.s ~ n.s %}')}`],
    ['makes large numbers', LOOP('{% if 3 ** 9000 // 7 ** 500 %}{% endif %}')],
    [
      'reads large numbers',
      `{% set s = 'z' * 4000 %}${LOOP('{% if s | int(0, 36) %}{% endif %}')}`,
    ],
    ['trims a long text', LONG + LOOP('{{ s | trim }}')],
    ['cuts a long text', LONG + LOOP('{% if s | truncate(5) %}{% endif %}')],
    ['searches a long text', LONG + LOOP("{% if s.find('x') %}{% endif %}")],
    ['compares long texts', LONG + LOOP("{% if s ~ 'a' < s ~ 'b' %}{% endif %}")],
    ['takes a letter of a long text', LONG + LOOP('{% if s[3] %}{% endif %}')],
    [
      'compares lists of lists',
      `{% set a = [('x' * 9000) | list] * 9000 %}{{ a == [('x' * 9000) | list] * 9000 }}`,
    ],
    [
      'makes links of brackets',
      `{% set s = ((')' * 4000) ~ 'a) ') * 90 %}${LOOP('{% if s | urlize %}{% endif %}')}`,
    ],
  ])('that %s is ended', async ([, template = '']) => {
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema: {},
      values: { x: { __prefect_kind: 'jinja', template } },
    })
    expect(answer).toMatchObject({ status: 200, body: { valid: false } })
    expect(JSON.stringify(answer.body)).toMatch(/more than \d+ (steps|items|characters|digits)/)
  })

  test('is ended with all its like in one set of parameters', async () => {
    const one = { __prefect_kind: 'jinja', template: LOOP('{{ i }}') }
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema: {},
      values: { x: Array.from({ length: 400 }, () => one) },
    })
    expect(answer).toMatchObject({ status: 200, body: { valid: false } })
    expect(JSON.stringify(answer.body).slice(0, 2000)).toContain('steps')
  })

  test('comes with so many others at most', async () => {
    const one = { __prefect_kind: 'workspace_variable', variable_name: 'x' }
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema: {},
      values: { x: Array.from({ length: 20_000 }, () => one) },
    })
    expect(answer.status).toBe(422)
  })

  test('in a JSON text that goes too deep is refused', async () => {
    const text = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const answer = await call(key, 'POST', '/ui/schemas/validate', {
      schema: {},
      values: { x: { __prefect_kind: 'json', value: text } },
    })
    expect(answer).toMatchObject({ status: 200, body: { valid: false } })
  })
})

describe('a schedule', () => {
  test.for([
    ['a day that never comes', { cron: '0 0 30 2 *' }],
    ['every second of a time that never comes', { rrule: 'FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30' }],
    ['exceptions for every date', { rrule: 'RRULE:FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY' }],
    [
      'lists as long as they get',
      {
        rrule: `FREQ=YEARLY;BYDAY=MO;BYSETPOS=366;BYSECOND=${Array.from({ length: 60 }, (_, at) => at).join(',')};BYMINUTE=${Array.from({ length: 60 }, (_, at) => at).join(',')}`,
      },
    ],
    ['the shortest interval', { interval: 0.000001 }],
    ['a text of spaces', { cron: ' '.repeat(1_000_000) }],
    ['a range of slashes', { cron: `${'1/'.repeat(500_000)} * * * *` }],
  ])('with %s is looked at for so long and no longer', async ([, schedule]) => {
    const answer = await call(key, 'POST', '/schedules/preview', { schedule, limit: 100 })
    expect([200, 422]).toContain(answer.status)
  })
})

test('a schema whose references double is given up', async () => {
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [
      `s${at}`,
      { allOf: [{ $ref: `#/$defs/s${at + 1}` }, { $ref: `#/$defs/s${at + 1}` }] },
    ]),
  )
  const answer = await call(key, 'POST', '/ui/schemas/validate', {
    schema: { $ref: '#/$defs/s0', $defs: { ...doubling, s40: { type: 'object' } } },
    values: {},
  })
  expect(answer.status).toBe(422)
})

test('a search text of quotes and signs is read once', async () => {
  const query = `${'+"\\'.repeat(66)}x`
  expect((await call(key, 'POST', '/logs/filter', { logs: { text: { query } } })).status).toBe(200)
  expect((await call(key, 'POST', '/events/filter', { filter: { text: { query } } })).status).toBe(
    200,
  )
})

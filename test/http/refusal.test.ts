import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { DomainError } from '#domain/errors.ts'
import { MAX_BODY_BYTES, parsePart } from '../../worker/http/input.ts'
import { toRefusal } from '../../worker/http/refusal.ts'
import { aWorkspace, API_URL, bindings, fetchWorker } from '../support/workspace.ts'

/** An error as D1 and drizzle hand it on. */
const wrapped = (message: string) =>
  new Error('Failed query: select 1', {
    cause: new Error(`D1_ERROR: ${message}`, { cause: new Error(message) }),
  })

test.for<[name: string, error: unknown, status: number, body: object]>([
  ['not found', new DomainError('not_found', 'no such'), 404, { detail: 'no such' }],
  ['conflict', new DomainError('conflict', 'taken'), 409, { detail: 'taken' }],
  ['bad request', new DomainError('bad_request', 'no'), 400, { detail: 'no' }],
  ['forbidden', new DomainError('forbidden', 'no'), 403, { detail: 'no' }],
  [
    'invalid',
    new DomainError('invalid', 'too late', { field: ['a', 0] }),
    422,
    {
      exception_message: 'Invalid request received.',
      exception_detail: [{ loc: ['body', 'a', 0], msg: 'too late', type: 'value_error' }],
      detail: 'too late',
      request_body: null,
    },
  ],
  [
    'a domain error that lost its class on its way from an object',
    Object.assign(new Error('gone'), { name: 'DomainError', code: 'not_found', field: [] }),
    404,
    { detail: 'gone' },
  ],
  [
    'a unique name',
    wrapped('UNIQUE constraint failed: flow.name: SQLITE_CONSTRAINT'),
    409,
    {
      detail:
        'Data integrity conflict. This usually means a unique or foreign key constraint was violated.',
    },
  ],
  [
    'a bug',
    new TypeError('x is not a function'),
    500,
    { exception_message: 'Internal Server Error' },
  ],
  [
    'a wrong query',
    wrapped('no such column: x: SQLITE_ERROR'),
    500,
    { exception_message: 'Internal Server Error' },
  ],
  ['no error at all', 'text', 500, { exception_message: 'Internal Server Error' }],
])('%s', ([, error, status, body]) => {
  expect(toRefusal(error)).toMatchObject({ status, body })
})

test.for([
  wrapped('Network connection lost.'),
  wrapped('D1 DB is overloaded. Requests queued for too long.'),
  wrapped('D1 DB storage operation exceeded timeout which caused object to be reset.'),
  wrapped('D1 DB reset because its code was updated.'),
  Object.assign(new Error('anything'), { retryable: true }),
  new Error('Durable Object is overloaded. Too many requests queued.'),
  new DomainError('unavailable', 'not now'),
])('%s is a 503 with a number of seconds to wait', (error) => {
  const refusal = toRefusal(error)
  expect(refusal).toMatchObject({
    status: 503,
    body: { exception_message: 'Service Unavailable' },
  })
  expect(Number(refusal.headers?.['Retry-After'])).toBeGreaterThan(0)
})

describe('the words of pydantic', () => {
  const schema = z.strictObject({
    text: z.string().min(2).max(3),
    number: z.int().min(1).lt(9),
    flag: z.boolean(),
    list: z.array(z.string()).max(1),
    choice: z.enum(['A', 'B']),
    nested: z.object({ id: z.string() }),
  })
  const good = { text: 'ab', number: 1, flag: true, list: [], choice: 'A', nested: { id: '' } }

  test.for<[given: object, loc: (string | number)[], msg: string, type: string]>([
    [{ text: undefined }, ['text'], 'Field required', 'missing'],
    [{ choice: undefined }, ['choice'], 'Field required', 'missing'],
    [{ nested: {} }, ['nested', 'id'], 'Field required', 'missing'],
    [{ text: 1 }, ['text'], 'Input should be a valid string', 'string_type'],
    [{ text: null }, ['text'], 'Input should be a valid string', 'string_type'],
    [{ number: 'x' }, ['number'], 'Input should be a valid number', 'float_type'],
    [{ number: 1.5 }, ['number'], 'Input should be a valid integer', 'int_type'],
    [{ flag: 'x' }, ['flag'], 'Input should be a valid boolean', 'bool_type'],
    [{ list: {} }, ['list'], 'Input should be a valid list', 'list_type'],
    [{ list: [1] }, ['list', 0], 'Input should be a valid string', 'string_type'],
    [{ nested: 'x' }, ['nested'], 'Input should be a valid dictionary', 'dict_type'],
    [{ choice: 'C' }, ['choice'], "Input should be 'A' or 'B'", 'enum'],
    [{ text: 'a' }, ['text'], 'String should have at least 2 characters', 'string_too_short'],
    [{ text: 'abcd' }, ['text'], 'String should have at most 3 characters', 'string_too_long'],
    [{ list: ['', ''] }, ['list'], 'List should have at most 1 items', 'list_too_long'],
    [{ number: 0 }, ['number'], 'Input should be greater than or equal to 1', 'greater_than_equal'],
    [{ number: 9 }, ['number'], 'Input should be less than 9', 'less_than'],
    [{ more: 1 }, ['more'], 'Extra inputs are not permitted', 'extra_forbidden'],
  ])('%o', ([given, loc, msg, type]) => {
    let refused: unknown
    try {
      parsePart('body', schema, { ...good, ...given })
    } catch (error) {
      refused = error
    }
    expect(toRefusal(refused)).toMatchObject({
      status: 422,
      body: { exception_detail: [{ loc: ['body', ...loc], msg, type }] },
    })
  })
})

const post = async (body: BodyInit | undefined, headers: Record<string, string> = {}) => {
  const { key } = await aWorkspace()
  return await fetchWorker(`${API_URL}/flows/`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, ...headers },
    ...(body === undefined ? {} : { body }),
  })
}

describe('a body', () => {
  test.for<[name: string, body: string | undefined, type: string]>([
    ['missing', undefined, 'missing'],
    ['empty', '', 'missing'],
    ['blank', ' ', 'json_invalid'],
    ['no JSON', '{', 'json_invalid'],
    ['null', 'null', 'dict_type'],
    ['a list', '[]', 'dict_type'],
  ])('that is %s is a 422', async ([, body, type]) => {
    const response = await post(body)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ exception_detail: [{ loc: ['body'], type }] })
  })

  test('that asks for too many says so in the words that Prefect’s command line looks for', async () => {
    const { key } = await aWorkspace()
    const response = await fetchWorker(`${API_URL}/logs/filter`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      body: '{"limit": 201}',
    })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({
      detail: 'Invalid limit: must be less than or equal to 200.',
      exception_detail: [{ loc: ['body', 'limit'] }],
    })
  })

  test('that is too large is a 413, counted and declared', async () => {
    const large = `"${'x'.repeat(MAX_BODY_BYTES)}"`
    expect((await post(large)).status).toBe(413)
    const chunked = await post(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(large))
          controller.close()
        },
      }),
    )
    expect(chunked.status).toBe(413)
  })

  test('may be missing where a filter is', async () => {
    const { key } = await aWorkspace()
    const response = await fetchWorker(`${API_URL}/flows/filter/`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
    })
    expect(await response.json()).toEqual([])
  })
})

test('a failure is told with its request’s id and without its cause', async () => {
  const { key, workspace } = await aWorkspace()
  await bindings.DB.prepare("UPDATE workspace SET store = 'NOWHERE' WHERE id = ?")
    .bind(workspace.id)
    .run()
  const response = await fetchWorker(`${API_URL}/flows/count`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}` },
  })
  expect(response.status).toBe(500)
  expect(await response.json()).toEqual({ exception_message: 'Internal Server Error' })
  expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
})

import { describe, expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import type { LogCreate } from '#core/wire/log.ts'
import { API_URL, aWorkspace, fetchWorker } from '../support/workspace.ts'

const START = Date.UTC(2026, 0, 1) * 1000

function aLog(second: number, given: Partial<LogCreate> = {}): LogCreate {
  return {
    name: 'flow',
    level: 20,
    message: `line ${second}`,
    timestamp: formatTimestamp(START + second * 1_000_000),
    ...given,
  }
}

async function post(key: string, path: string, body: string): Promise<Response> {
  return await fetchWorker(`${API_URL}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}` },
    body,
  })
}

test('lines are kept and read back as Prefect shows them', async () => {
  const { client, key } = await aWorkspace()
  const run = crypto.randomUUID()
  const sent = { ...aLog(1), flow_run_id: run, timestamp: '2026-01-01 02:00:01.5+02:00' }
  const response = await post(key, '/logs/', JSON.stringify([sent]))
  expect(response.status).toBe(201)
  expect(await response.json()).toBeNull()
  expect(await client.filterLogs({ logs: { flow_run_id: { any_: [run] } } })).toEqual([
    {
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      created: expect.stringMatching(/Z$/),
      updated: expect.stringMatching(/Z$/),
      name: 'flow',
      level: 20,
      message: 'line 1',
      timestamp: '2026-01-01T00:00:01.500000Z',
      flow_run_id: run,
      task_run_id: null,
    },
  ])
})

test('lines of many runs, over all shards, come in one order', async () => {
  const { client } = await aWorkspace()
  const runs = Array.from({ length: 12 }, () => crypto.randomUUID())
  const lines = Array.from({ length: 240 }, (_, index) =>
    aLog(index, { flow_run_id: runs[index % 12] ?? null, level: index % 2 === 0 ? 20 : 40 }),
  )
  await client.createLogs(lines)
  const messages = async (query: Parameters<typeof client.filterLogs>[0]) =>
    (await client.filterLogs(query)).map(({ message }) => message)
  const all = lines.map(({ message }) => message)
  expect(await messages({})).toEqual(all.slice(0, 200))
  expect(await messages({ offset: 200 })).toEqual(all.slice(200))
  expect(await messages({ sort: 'TIMESTAMP_DESC', limit: 3 })).toEqual(all.toReversed().slice(0, 3))
  const some = { flow_run_id: { any_: runs.slice(0, 3) } }
  expect(await messages({ logs: some, limit: 4, offset: 2 })).toEqual(
    all.filter((_, index) => index % 12 < 3).slice(2, 6),
  )
  expect(await messages({ logs: { ...some, level: { ge_: 40 } }, limit: 2 })).toEqual([
    'line 1',
    'line 13',
  ])
  expect(await messages({ logs: { flow_run_id: { any_: [] } } })).toEqual([])
  expect(await messages({ logs: { text: { query: '"line 17" "line 239"' } } })).toContain(
    'line 239',
  )
})

test('another workspace sees none of it', async () => {
  const { client } = await aWorkspace()
  const { client: stranger } = await aWorkspace()
  const run = crypto.randomUUID()
  await client.createLogs([aLog(1, { flow_run_id: run })])
  expect(await stranger.filterLogs({ logs: { flow_run_id: { any_: [run] } } })).toEqual([])
  expect(await stranger.filterLogs()).toEqual([])
})

describe('a request that is refused', () => {
  test.each<[string, string, string, (string | number)[]]>([
    ['a missing field', '/logs/', '[{"name":"x"}]', ['body', 0, 'level']],
    [
      'an unknown field',
      '/logs/',
      JSON.stringify([{ ...aLog(1), colour: 1 }]),
      ['body', 0, 'colour'],
    ],
    ['no list', '/logs/', '{}', ['body']],
    [
      'an unknown filter',
      '/logs/filter',
      '{"logs":{"name":{"any_":[]}}}',
      ['body', 'logs', 'name'],
    ],
    ['too large a page', '/logs/filter', '{"limit":201}', ['body', 'limit']],
  ])('%s', async (_name, path, body, loc) => {
    const { key } = await aWorkspace()
    const response = await post(key, path, body)
    expect(response.status).toBe(422)
    const problem = await response.json<{ exception_detail: { loc: unknown[] }[] }>()
    expect(problem.exception_detail.map((detail) => detail.loc)).toContainEqual(loc)
  })

  test('without a key', async () => {
    expect((await post('nonsense', '/logs/', '[]')).status).toBe(401)
    expect((await post('nonsense', '/logs/filter', '{}')).status).toBe(401)
  })

  test('a body that is too large', async () => {
    const { key } = await aWorkspace()
    const body = JSON.stringify([aLog(1, { message: 'x'.repeat(6_000_000) })])
    expect((await post(key, '/logs/', body)).status).toBe(413)
  })
})

test('all lines of a run are downloaded as CSV, as text and as JSON lines', async () => {
  const { client, key } = await aWorkspace()
  const flow = await client.createFlow({ name: 'flow' })
  const { id: run } = await client.createFlowRun({ flow_id: flow.id })
  const lines = Array.from({ length: 4500 }, (_, index) => aLog(index, { flow_run_id: run }))
  await client.createLogs(lines)
  await client.createLogs([aLog(9000, { flow_run_id: run, level: 40, message: 'a "b",\nc' })])
  const download = async (format: string) =>
    await fetchWorker(`${API_URL}/flow_runs/${run}/logs/download${format}`, {
      headers: { Authorization: `Bearer ${key}` },
    })
  const csv = await download('')
  expect(csv.headers.get('Content-Type')).toBe('text/csv; charset=utf-8')
  expect(csv.headers.get('Content-Disposition')).toBe(`attachment; filename="${run}-logs.csv"`)
  const rows = (await csv.text()).split('\r\n')
  expect(rows[0]).toBe('timestamp,level,flow_run_id,task_run_id,message')
  expect(rows).toHaveLength(4503)
  expect(rows[4501]).toBe(`2026-01-01T02:30:00.000000Z,40,${run},,"a ""b"",\nc"`)
  const text = await (await download('?format=txt')).text()
  expect(text.split('\n')[1]).toBe('2026-01-01T00:00:01.000000Z INFO flow - line 1')
  const json = (await (await download('?format=ndjson')).text()).trim().split('\n')
  expect(json).toHaveLength(4501)
  expect(JSON.parse(json[4499] ?? '')).toMatchObject({ message: 'line 4499', flow_run_id: run })
  expect((await download('?format=xml')).status).toBe(422)
})

test('lines of a run that is not there are no file', async () => {
  const { key } = await aWorkspace()
  const path = `/flow_runs/${crypto.randomUUID()}/logs/download`
  const response = await fetchWorker(`${API_URL}${path}`, {
    headers: { Authorization: `Bearer ${key}` },
  })
  expect(response.status).toBe(404)
})

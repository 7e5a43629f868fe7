import { expect, test } from 'vitest'
import type { ExportLine } from '#core/wire/workspace.ts'
import { exportLines } from '../../agent/cli/export-lines.ts'
import { EXPORT_PARTS } from '../../worker/operations/export-workspace.ts'
import { streamExport } from '../../worker/http/export-stream.ts'
import { call } from '../support/call.ts'
import { API_URL, aWorkspace, fetchWorker, type TestWorkspace } from '../support/workspace.ts'
import { aFullWorkspace, aName, idOf } from '../wall/full-workspace.ts'

type Thing = Extract<ExportLine, { row: unknown }>

async function exported({ client }: Pick<TestWorkspace, 'client'>): Promise<Thing[]> {
  const lines: ExportLine[] = []
  for await (const line of exportLines(client)) {
    lines.push(JSON.parse(line) as ExportLine)
  }
  expect(lines.pop()).toEqual({ kind: 'end' })
  return lines as Thing[]
}

async function textOf(stream: Promise<ReadableStream<Uint8Array>>): Promise<string> {
  return await new Response(await stream).text()
}

const things = (lines: Thing[], kind: string) =>
  lines.filter((line) => line.kind === kind).map(({ row }) => row)

/** What a full workspace has none of. */
const EMPTY = new Set(['task_cache', 'configuration', 'usage_day', 'member', 'invitation'])

test('an export has all kinds of things, without their secrets', async () => {
  const full = await aFullWorkspace()
  const { client, key } = full
  const [secret, hidden] = [aName('secret'), aName('hidden')]
  const type = await client.readBlockTypeBySlug('secret')
  const [schema] = await client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [type.id] } },
  })
  await client.createBlockDocument({
    name: aName('document'),
    block_type_id: type.id,
    block_schema_id: schema?.id ?? '',
    data: { value: secret },
  })
  const variable = { name: aName('variable').replaceAll('-', '_'), value: hidden, secret: true }
  expect((await call(key, 'POST', '/variables/', variable)).status).toBe(201)
  const lines = await exported(full)
  const kinds = new Set(lines.map(({ kind }) => kind))
  const expected = EXPORT_PARTS.map(({ kind }) => kind).filter((kind) => !EMPTY.has(kind))
  expect([...kinds]).toEqual(expect.arrayContaining(expected))
  const text = JSON.stringify(lines)
  for (const word of [secret, hidden, key, full.runToken, '"hash"', 'wrapped']) {
    expect(text).not.toContain(word)
  }
  for (const kind of ['flow', 'deployment', 'work_pool', 'work_queue', 'automation', 'variable']) {
    expect(things(lines, kind).map((row) => row['id'])).toContain(idOf(full, kind))
  }
  const runs = things(lines, 'flow_run')
  expect(runs.map((row) => row['id'])).toEqual(
    expect.arrayContaining(full.known['flow_run']?.ids ?? []),
  )
  expect(runs[0]?.['states']).toEqual(expect.arrayContaining([expect.objectContaining({})]))
  expect(things(lines, 'log').map((row) => row['id'])).toEqual(full.known['log']?.ids)
  expect(things(lines, 'event').map((row) => row['id'])).toContain(idOf(full, 'event'))
  expect(things(lines, 'flow_run_input')).toHaveLength(1)
})

test('an export goes on from each of its cursors, page by page', async () => {
  const { client, workspace } = await aWorkspace()
  const flow = await client.createFlow({ name: 'f' })
  const pool = await client.createWorkPool({ name: 'p', type: 'process' })
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: pool.name,
  })
  await client.createFlowRunsFromDeployment(
    deployment.id,
    Array.from({ length: 60 }, () => ({})),
  )
  const all = await exported({ client })
  expect(things(all, 'flow_run')).toHaveLength(60)
  // What the API answers, each page by itself.
  const pages: { cursor: string | undefined; rows: string[] }[] = []
  let cursor: string | undefined
  let rows: string[] = []
  const text = await textOf(client.exportWorkspace())
  for (const line of text.trimEnd().split('\n')) {
    const parsed = JSON.parse(line) as ExportLine
    if ('cursor' in parsed) {
      pages.push({ cursor, rows })
      cursor = parsed.cursor
      rows = []
    } else {
      rows.push(line)
    }
  }
  const ofRuns = pages.filter(({ rows: some }) => some.some((row) => row.includes('"flow_run"')))
  expect(ofRuns.length).toBeGreaterThan(2)
  for (const page of ofRuns) {
    // oxlint-disable-next-line no-await-in-loop -- few
    const again = await textOf(client.exportWorkspace(page.cursor))
    expect(again.split('\n').slice(0, page.rows.length)).toEqual(page.rows)
  }
  const other = await aWorkspace()
  const theirs = await textOf(other.client.exportWorkspace(ofRuns[1]?.cursor))
  expect(theirs).not.toContain(workspace.id)
  expect(theirs).not.toContain(flow.id)
})

test('what is no cursor is refused', async () => {
  const { key } = await aWorkspace()
  const encoded = (value: unknown) => btoa(JSON.stringify(value)).replaceAll('=', '')
  for (const cursor of [
    'x',
    '%',
    encoded(1),
    encoded(['nothing', null]),
    encoded(['flow', ['a', 'b']]),
    encoded(['flow', [{}]]),
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- few
    const answer = await call(key, 'GET', `/workspace/export?cursor=${encodeURIComponent(cursor)}`)
    expect(answer.status).toBe(400)
  }
  for (const place of [
    ['event', ['x', 'y']],
    ['log', [99, '', -1]],
    ['flow_run_input', ['nowhere', '', '']],
    ['flow', [5]],
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- few
    const { status, text } = await read(key, encoded(place))
    expect([status, text.includes('"kind":"end"')]).toEqual([200, true])
  }
})

async function read(key: string, cursor: string): Promise<{ status: number; text: string }> {
  const response = await fetchWorker(`${API_URL}/workspace/export?cursor=${cursor}`, {
    headers: { Authorization: `Bearer ${key}` },
  })
  return { status: response.status, text: await response.text() }
}

test('an export ends with the key of who reads it', async () => {
  const { workspace } = await aWorkspace()
  let allowed = true
  const stream = streamExport(workspace, { part: 0, after: null }, () => Promise.resolve(allowed))
  const reader = stream.getReader()
  expect((await reader.read()).done).toBe(false)
  allowed = false
  await expect(
    (async () => {
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- as a slow reader does
        await new Promise((resolve) => setTimeout(resolve, 500))
        // oxlint-disable-next-line no-await-in-loop -- the same
        await reader.read()
      }
    })(),
  ).rejects.toThrow('no longer good')
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { BlockDocument } from '#core/wire/block-document.ts'
import { call } from '../support/call.ts'
import { routes, send } from '../support/routes.ts'
import { aWorkspace, type TestWorkspace } from '../support/workspace.ts'
import { dumpOf, objectsOf } from '../wall/dump.ts'

/** Stands in every secret of the test: where it is found and should not be, one has leaked. */
const MARK = 'm4rk3d'
const aSecret = () => `${MARK}-${crypto.randomUUID()}`

const LEVELS = ['debug', 'log', 'info', 'warn', 'error'] as const
let said: unknown[][] = []

beforeEach(() => {
  said = []
  for (const level of LEVELS) {
    vi.spyOn(console, level).mockImplementation((...words: unknown[]) => {
      said.push(words)
    })
  }
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** A workspace with documents whose secrets are marked: named, anonymous, in each other, changed. */
async function aWorkspaceWithSecrets() {
  const workspace = await aWorkspace()
  const { client } = workspace
  const slug = `s-${crypto.randomUUID()}`
  const type = await client.createBlockType({ name: slug, slug })
  const schema = await client.createBlockSchema({
    block_type_id: type.id,
    fields: {
      title: 'Thing',
      type: 'object',
      properties: { token: { type: 'string' }, headers: { type: 'object' } },
      secret_fields: ['token', 'headers.*'],
      block_type_slug: slug,
      block_schema_references: {},
    },
  })
  const ids = { block_type_id: type.id, block_schema_id: schema.id }
  const data = () => ({ user: 'alice', token: aSecret(), headers: { 'X-Key': aSecret() } })
  const make = async (given: object): Promise<BlockDocument> =>
    await client.createBlockDocument({ ...ids, data: data(), ...given })
  const named = await make({ name: 'named' })
  await make({ is_anonymous: true })
  const holder = await make({
    name: 'holder',
    data: { ...data(), inner: { $ref: { block_document_id: named.id } } },
  })
  await client.updateBlockDocument(named.id, { data: { token: aSecret() } })
  const variable = await client.createVariable({ name: 'v', value: aSecret(), secret: true })
  await client.updateVariable('v', { value: [aSecret()] })
  return { ...workspace, variable, slug, ids, named, holder, data }
}

/** Every answer of the API that asks for nothing in particular, and those about these documents. */
async function readEverything(
  { key }: TestWorkspace,
  documents: readonly BlockDocument[],
): Promise<string[]> {
  const answers: string[] = []
  const lists = routes.filter(
    ({ method, path, operation }) =>
      !path.includes('{') &&
      !('101' in operation.responses) &&
      (method === 'get' || (method === 'post' && /\/(filter|paginate|history)$/.test(path))),
  )
  expect(lists.length).toBeGreaterThan(40)
  for (const route of lists) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, as a reader asks
    const response = await send(route, { key, ...(route.method === 'post' ? { body: {} } : {}) })
    // oxlint-disable-next-line no-await-in-loop
    answers.push(`${route.name}: ${await response.text()}`)
  }
  for (const { id } of documents) {
    // oxlint-disable-next-line no-await-in-loop
    answers.push(
      `document: ${JSON.stringify((await call(key, 'GET', `/block_documents/${id}`)).body)}`,
    )
  }
  return answers
}

const leaks = (texts: readonly string[]) => texts.filter((text) => text.includes(MARK))

test('what is secret in a block or a variable is in no answer but to who asks for it, no event, no log, and nowhere at rest', async () => {
  const given = await aWorkspaceWithSecrets()
  const { client, workspace, named, holder, key } = given
  // It is there, so that the rest of the test means something.
  const shown = await client.readBlockDocument(holder.id, true)
  expect(leaks([JSON.stringify(shown)])).toHaveLength(1)
  expect(leaks([JSON.stringify(await client.readVariable('v'))])).toHaveLength(1)

  await client.createWorkPool({ name: 'pool', type: 'process' })
  const flow = await client.createFlow({ name: 'flow' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: 'pool',
    job_variables: { env: { TOKEN: `{{ prefect.blocks.${given.slug}.named.token }}` } },
  })
  const run = await client.createFlowRunFromDeployment(deployment.id)
  // A claim hands on the placeholder: whoever starts the run asks for the secret with rights of its own.
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const claimed = await client.claim('pool', { agent, limit: 1 })
  expect(claimed.runs).toHaveLength(1)
  expect(leaks([JSON.stringify(claimed)])).toEqual([])
  const diagnostics = await client.startDiagnostics()
  await expect
    .poll(async () => {
      const page = await client.filterEvents({
        filter: { any_resource: { id: [`prefect.block-document.${named.id}`] } },
      })
      return page.events.map((event) => event.event)
    })
    .toContain('prefect.block-document.updated')

  // Each of the documents has left its entries, which are read with everything else.
  const audit = { object_kind: { any_: ['block_document'] } }
  expect((await client.filterAudit({ audit })).entries).toHaveLength(4)
  expect(leaks(await readEverything(given, [named, holder]))).toEqual([])
  const of = async (path: string) => JSON.stringify((await call(key, 'GET', path)).body)
  expect(
    leaks([
      await of(`/flow_runs/${run.id}`),
      await of(`/variables/${given.variable.id}`),
      await of(`/deployments/${deployment.id}`),
      await of(`/diagnostics/${diagnostics.id}`),
    ]),
  ).toEqual([])

  const objects = await objectsOf(workspace)
  const rest = Object.entries(await dumpOf(workspace, objects))
  expect(rest.map(([table]) => table)).toEqual(
    expect.arrayContaining(['block_document', 'variable', 'workspace_key']),
  )
  expect(leaks(rest.map(([table, rows]) => `${table}: ${JSON.stringify(rows)}`))).toEqual([])
  expect(leaks(said.map((words) => words.map(String).join(' ')))).toEqual([])
})

test('no error repeats a secret', async () => {
  const { key, ids, named, data } = await aWorkspaceWithSecrets()
  const refused: [string, string, object][] = [
    ['POST', '/block_documents/', { ...ids, name: 'named', data: data() }],
    ['POST', '/block_documents/', { ...ids, name: 'wrong / name', data: data() }],
    ['POST', '/block_documents/', { ...ids, data: data() }],
    ['POST', '/block_documents/', { ...ids, name: 'other', data: data(), block_schema_id: 'none' }],
    ['POST', '/block_documents/', { ...ids, name: 'other', data: [aSecret()] }],
    ['POST', '/block_documents/', { ...ids, name: 'other', data: data(), more: aSecret() }],
    [
      'POST',
      '/block_documents/',
      { ...ids, name: 'other', data: data(), block_type_id: crypto.randomUUID() },
    ],
    [
      'POST',
      '/block_documents/',
      { ...ids, name: 'other', data: { token: aSecret(), x: { $ref: { block_document_id: 1 } } } },
    ],
    ['PATCH', `/block_documents/${named.id}`, { data: aSecret() }],
    [
      'PATCH',
      `/block_documents/${named.id}`,
      { data: data(), block_schema_id: crypto.randomUUID() },
    ],
    ['PATCH', `/block_documents/${crypto.randomUUID()}`, { data: data() }],
    ['POST', '/variables/', { name: 'v', value: aSecret(), secret: true }],
    ['POST', '/variables/', { name: 'Wrong', value: aSecret(), secret: true }],
    ['POST', '/variables/', { name: 'w', value: aSecret(), secret: aSecret() }],
    ['POST', '/variables/', { name: 'w', value: aSecret().repeat(200), secret: true }],
    ['PATCH', '/variables/name/v', { value: aSecret(), tags: [1] }],
    ['PATCH', '/variables/name/none', { value: aSecret() }],
  ]
  const answers: string[] = []
  for (const [method, path, body] of refused) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const answer = await call(key, method, path, body)
    expect(answer.status, JSON.stringify(answer.body)).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    answers.push(JSON.stringify(answer.body))
  }
  expect(leaks(answers)).toEqual([])
  expect(leaks(said.map((words) => words.map(String).join(' ')))).toEqual([])
})

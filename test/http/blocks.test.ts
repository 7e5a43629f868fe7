import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import type { BlockSchemaCreate } from '#core/wire/block-schema.ts'
import { readBlockDocument } from '../../worker/operations/read-block-document.ts'
import { signRunToken } from '../../worker/operations/run-token.ts'
import { call } from '../support/call.ts'
import { aWorkspace, API_URL, clientOf, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function aBlockClass(
  client: Client,
  given: Partial<BlockSchemaCreate> = {},
  slug = `a-${crypto.randomUUID()}`,
) {
  const type = await client.createBlockType({ name: `The ${slug}`, slug })
  const schema = await client.createBlockSchema({
    block_type_id: type.id,
    fields: {
      title: 'Thing',
      type: 'object',
      properties: { token: { type: 'string' }, user: { type: 'string' } },
      secret_fields: ['token', 'headers.*'],
      block_type_slug: slug,
      block_schema_references: {},
    },
    ...given,
  })
  const ids = { block_type_id: type.id, block_schema_id: schema.id }
  return { type, schema, ids, slug }
}

async function eventsOf(client: Client, id: string): Promise<string[]> {
  const page = await client.filterEvents({
    filter: { any_resource: { id: [`prefect.block-type.${id}`, `prefect.block-document.${id}`] } },
  })
  return page.events.map((event) => event.event).toSorted()
}

test('every workspace has the blocks of Prefect’s server', async () => {
  const { client } = await aWorkspace()
  const types = await client.filterBlockTypes()
  const slugs = types.map((type) => type.slug)
  expect(slugs).toEqual(
    expect.arrayContaining(['slack-webhook', 'remote-file-system', 'aws-credentials', 'smb']),
  )
  expect(types.map((type) => type.name)).toEqual(types.map((type) => type.name).toSorted())
  expect(types.filter((type) => type.is_protected).map((type) => type.slug)).toEqual([
    'local-file-system',
    'secret',
    'webhook',
  ])
  const secret = await client.readBlockTypeBySlug('secret')
  const [schema] = await client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [secret.id] } },
  })
  expect(schema).toMatchObject({ version: '3.9.1', block_type: { slug: 'secret' } })
  expect(await client.readBlockSchemaByChecksum(schema?.checksum ?? '', '3.9.1')).toEqual(schema)
  expect(await client.readBlockSchema(schema?.id ?? '')).toEqual(schema)
  expect(await client.listBlockCapabilities()).toEqual([
    'get-directory',
    'notify',
    'put-directory',
    'read-path',
    'write-path',
  ])
})

test('types are listed by their own filter, by that of schemas, and by pages', async () => {
  const { client } = await aWorkspace()
  const { slug } = await aBlockClass(client, { capabilities: ['notify', 'fly'] })
  const slugs = async (query: Parameters<Client['filterBlockTypes']>[0]) =>
    (await client.filterBlockTypes(query)).map((type) => type.slug)
  const capable = (all_: string[]) => ({ block_schemas: { block_capabilities: { all_ } } })
  expect(await slugs(capable(['fly']))).toEqual([slug])
  expect(await slugs(capable(['notify']))).toEqual(expect.arrayContaining([slug, 'slack-webhook']))
  expect(await slugs(capable(['fly', 'write-path']))).toEqual([])
  expect(await slugs({ block_types: { slug: { any_: [slug, 'smb', 'nothing'] } } })).toEqual([
    'smb',
    slug,
  ])
  expect(await slugs({ block_types: { name: { like_: 'SECRET' } } })).toEqual([
    'aws-secret',
    'gcpsecret',
    'secret',
  ])
  const all = await slugs({})
  expect(await slugs({ offset: 10, limit: 5 })).toEqual(all.slice(10, 15))
})

test('a type is made, shown escaped, changed and deleted', async () => {
  const { client } = await aWorkspace()
  const slug = `my-${crypto.randomUUID()}`
  const made = await client.createBlockType({ name: 'Mine', slug, description: 'a <b> & c' })
  expect(made).toMatchObject({ name: 'Mine', description: 'a &lt;b&gt; &amp; c', logo_url: null })
  await expect(client.createBlockType({ name: 'Other', slug })).rejects.toMatchObject({
    status: 409,
    body: { detail: 'Block type with name "Other" already exists' },
  })
  await client.updateBlockType(made.id, { description: 'a <b> & c' })
  expect(await client.readBlockType(made.id)).toEqual(made)
  await client.updateBlockType(made.id, { description: 'new <b>', logo_url: 'https://x/y.png' })
  expect(await client.readBlockTypeBySlug(slug)).toMatchObject({
    description: 'new <b>',
    logo_url: 'https://x/y.png',
  })
  await client.deleteBlockType(made.id)
  await expect(client.readBlockType(made.id)).rejects.toMatchObject({ status: 404 })
  await expect
    .poll(async () => await eventsOf(client, made.id))
    .toEqual([
      'prefect.block-type.created',
      'prefect.block-type.deleted',
      'prefect.block-type.updated',
    ])
})

test('a type of the system is changed and deleted in its workspace alone', async () => {
  const { client } = await aWorkspace()
  const { client: other } = await aWorkspace()
  const smb = await client.readBlockTypeBySlug('smb')
  const [schema] = await client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [smb.id] } },
  })
  const find = { block_types: { slug: { any_: ['smb'] } } }
  await client.updateBlockType(smb.id, { description: 'ours' })
  expect(await client.filterBlockTypes(find)).toMatchObject([{ id: smb.id, description: 'ours' }])
  await client.createBlockDocument({
    name: 'share',
    block_type_id: smb.id,
    block_schema_id: schema?.id ?? '',
  })
  await client.deleteBlockType(smb.id)
  expect(await client.filterBlockTypes(find)).toEqual([])
  expect(await client.countBlockDocuments()).toBe(0)
  await expect(client.readBlockSchemaByChecksum(schema?.checksum ?? '')).rejects.toMatchObject({
    status: 404,
  })
  const again = await client.createBlockType({ name: 'SMB', slug: 'smb' })
  expect(again).toMatchObject({ id: smb.id, description: null })
  expect(await client.readBlockSchemaByChecksum(schema?.checksum ?? '')).toMatchObject({
    id: schema?.id,
  })
  await client.deleteBlockSchema(schema?.id ?? '')
  await expect(client.readBlockSchema(schema?.id ?? '')).rejects.toMatchObject({ status: 404 })
  expect(await other.readBlockTypeBySlug('smb')).toEqual(smb)
  expect(await other.readBlockSchema(schema?.id ?? '')).toEqual(schema)
})

test('protected types and their schemas can not be deleted, and are brought back to what they were', async () => {
  const { client } = await aWorkspace()
  const secret = await client.readBlockTypeBySlug('secret')
  const [schema] = await client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [secret.id] } },
  })
  await expect(client.deleteBlockType(secret.id)).rejects.toMatchObject({
    status: 403,
    body: { detail: 'protected block types cannot be deleted.' },
  })
  await expect(client.deleteBlockSchema(schema?.id ?? '')).rejects.toMatchObject({
    status: 403,
    body: { detail: 'Block schemas for protected block types cannot be deleted.' },
  })
  await client.updateBlockType(secret.id, { description: 'changed' })
  await client.installSystemBlockTypes()
  expect(await client.readBlockType(secret.id)).toMatchObject({ description: secret.description })
})

test('a schema is made once for its checksum and version', async () => {
  const { client, key } = await aWorkspace()
  const { type } = await aBlockClass(client)
  const body = `{"block_type_id":"${type.id}","version":"1","fields":{"x":{"default":1.0}}}`
  const send = async (text: string) =>
    await fetchWorker(`${API_URL}/block_schemas/`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      body: text,
    })
  const first = await send(body)
  expect(first.status).toBe(201)
  const made: { id: string; checksum: string } = await first.clone().json()
  expect(await first.text()).toContain('{"default":1.0}')
  const second = await send(body)
  expect(second.status).toBe(200)
  expect(await second.json()).toMatchObject({ id: made.id })
  const other = await send(body.replace('1.0', '1'))
  expect(other.status).toBe(201)
  const otherMade: typeof made = await other.json()
  expect(otherMade.checksum).not.toBe(made.checksum)
  const next = await send(body.replace('"version":"1"', '"version":"2"'))
  expect(await next.json()).toMatchObject({ checksum: made.checksum, version: '2' })
  expect(await client.readBlockSchemaByChecksum(made.checksum)).toMatchObject({ version: '2' })
  expect(await client.readBlockSchemaByChecksum(made.checksum, '1')).toMatchObject({ id: made.id })
  await expect(client.readBlockSchemaByChecksum(made.checksum, '3')).rejects.toMatchObject({
    status: 404,
  })
})

test('a schema brings those of the blocks in it, which are read with it', async () => {
  const { client } = await aWorkspace()
  const inner = await client.createBlockType({ name: 'Inner', slug: `in-${crypto.randomUUID()}` })
  const { type } = await aBlockClass(client)
  const definitions = {
    Inner: {
      title: 'Inner',
      type: 'object',
      properties: { plain: { $ref: '#/definitions/Plain' } },
      block_type_slug: inner.slug,
      secret_fields: [],
      block_schema_references: {},
    },
    Plain: { title: 'Plain', type: 'object' },
  }
  const reference = { block_type_slug: inner.slug, block_schema_checksum: 'sha256:unknown' }
  const made = await client.createBlockSchema({
    block_type_id: type.id,
    fields: {
      title: 'Outer',
      properties: { inner: { $ref: '#/definitions/Inner' } },
      definitions,
      block_schema_references: { inner: reference },
    },
  })
  const [nested] = await client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [inner.id] } },
  })
  expect(nested?.fields).toEqual({
    ...definitions.Inner,
    definitions: { Plain: definitions.Plain },
  })
  const read = await client.readBlockSchema(made.id)
  expect(read.fields).toEqual({
    title: 'Outer',
    properties: { inner: { $ref: '#/definitions/Inner' } },
    definitions,
    block_schema_references: {
      inner: { block_type_slug: inner.slug, block_schema_checksum: nested?.checksum },
    },
  })
})

test.for<[string, number, object, string]>([
  [
    'of a type that is not there',
    404,
    { block_type_id: NOWHERE },
    `Block type ${NOWHERE} not found.`,
  ],
  [
    'with a block of a type that is not there',
    409,
    {
      fields: {
        block_schema_references: { a: { block_type_slug: 'no', block_schema_checksum: 'x' } },
      },
    },
    "Cannot create block schema because block type 'no' was not found.Did you forget to register the block type?",
  ],
  [
    'with a block that it does not describe',
    422,
    {
      fields: {
        block_schema_references: { a: { block_type_slug: 'smb', block_schema_checksum: 'x' } },
      },
    },
    "Unable to create nested block schema for block type 'SMB' due to missing definition.",
  ],
  [
    'that is too large',
    422,
    { fields: { a: 'x'.repeat(1_000_001) } },
    "A block's fields may have 1000000 bytes of JSON at most, this has 1000009.",
  ],
])('a schema %s: %i', async ([, status, body, detail]) => {
  const { client, key } = await aWorkspace()
  const { type } = await aBlockClass(client)
  const answer = await call(key, 'POST', '/block_schemas/', { block_type_id: type.id, ...body })
  expect(answer).toMatchObject({ status, body: { detail } })
})

test('a document keeps its secrets, and shows them to who asks', async () => {
  const { client, workspace } = await aWorkspace()
  const { ids, slug } = await aBlockClass(client)
  const data = { token: 'hush', user: 'ada', headers: { a: 'quiet', b: { c: 'silent' } } }
  const made = await client.createBlockDocument({ ...ids, name: 'one', data })
  const masked = {
    token: '********',
    user: 'ada',
    headers: { a: '********', b: { c: '********' } },
  }
  expect(made).toMatchObject({
    name: 'one',
    data: masked,
    is_anonymous: false,
    block_document_references: {},
    block_schema: { id: ids.block_schema_id, block_type: { slug } },
    block_type: { slug },
  })
  expect(await client.readBlockDocument(made.id)).toEqual(made)
  expect(await client.readBlockDocumentByName(slug, 'one')).toEqual(made)
  expect(await client.listBlockDocumentsOfType(slug)).toEqual([made])
  expect((await client.readBlockDocument(made.id, true)).data).toEqual(data)
  expect((await client.readBlockDocumentByName(slug, 'one', true)).data).toEqual(data)
  expect(await client.listBlockDocumentsOfType(slug, true)).toMatchObject([{ data }])
  expect(await client.filterBlockDocuments({ include_secrets: true })).toMatchObject([{ data }])
  expect((await readBlockDocument(workspace, made.id))?.data).toEqual(data)
  const rows = await workspace.database.prepare('SELECT data FROM block_document').all()
  expect(JSON.stringify(rows.results)).not.toMatch(/hush|quiet|silent|ada/)
})

test('code in a run loads secrets and saves blocks, and deletes none', async () => {
  const { client, workspace } = await aWorkspace()
  const { ids, slug, type } = await aBlockClass(client)
  await client.createBlockDocument({ ...ids, name: 'one', data: { token: 'hush' } })
  const token = await signRunToken(workspace.bindings.HEADGATE_SECRET, {
    workspace_id: workspace.id,
    flow_run_id: crypto.randomUUID(),
    fence: 1,
    home_key: '00000000',
    issued: Date.now() / 1000,
    expires: Date.now() / 1000 + 60,
  })
  const run = clientOf(token)
  const found = await run.readBlockDocumentByName(slug, 'one', true)
  expect(found.data).toEqual({ token: 'hush' })
  await run.updateBlockDocument(found.id, { data: { token: 'new' } })
  await aBlockClass(run)
  for (const attempt of [
    () => run.deleteBlockDocument(found.id),
    () => run.deleteBlockSchema(ids.block_schema_id),
    () => run.deleteBlockType(type.id),
    () => run.setResultStorage(found.id),
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await expect(attempt()).rejects.toMatchObject({ status: 403 })
  }
})

test('an update is laid over what there is, or takes its place', async () => {
  const { client } = await aWorkspace()
  const { ids } = await aBlockClass(client)
  const { id } = await client.createBlockDocument({
    ...ids,
    name: 'one',
    data: { token: 'hush', user: 'ada', headers: { a: 'b' } },
  })
  const data = async () => (await client.readBlockDocument(id, true)).data
  await client.updateBlockDocument(id, { data: { token: '********', user: 'eve' } })
  expect(await data()).toEqual({ token: 'hush', user: 'eve', headers: { a: 'b' } })
  await client.updateBlockDocument(id, { data: { token: 'new', headers: { a: '********' } } })
  expect(await data()).toEqual({ token: 'new', user: 'eve', headers: { a: 'b' } })
  await client.updateBlockDocument(id, {})
  expect(await data()).toEqual({ token: 'new', user: 'eve', headers: { a: 'b' } })
  await client.updateBlockDocument(id, { data: { user: 'bob' }, merge_existing_data: false })
  expect(await data()).toEqual({ user: 'bob' })
  await client.deleteBlockDocument(id)
  await expect(client.deleteBlockDocument(id)).rejects.toMatchObject({ status: 404 })
  await expect
    .poll(async () => new Set(await eventsOf(client, id)))
    .toEqual(
      new Set(['created', 'updated', 'deleted'].map((verb) => `prefect.block-document.${verb}`)),
    )
})

test('many updates at once are all in the end', async () => {
  const { client } = await aWorkspace()
  const { ids } = await aBlockClass(client)
  const { id } = await client.createBlockDocument({ ...ids, name: 'one' })
  const keys = ['a', 'b', 'c', 'd']
  await Promise.all(keys.map((key) => client.updateBlockDocument(id, { data: { [key]: key } })))
  expect(Object.keys((await client.readBlockDocument(id)).data).toSorted()).toEqual(keys)
})

test('a document holds the data of those that it refers to', async () => {
  const { client } = await aWorkspace()
  const { ids, type } = await aBlockClass(client)
  const make = async (name: string, data: Record<string, string | object>) =>
    await client.createBlockDocument({ ...ids, name, data: data as never })
  const reference = (id: string) => ({ $ref: { block_document_id: id } })
  const leaf = await make('leaf', { token: 'hush' })
  const branch = await make('branch', { leaf: reference(leaf.id), user: 'b' })
  const root = await make('root', { branch: reference(branch.id), other: reference(leaf.id) })
  expect(root.data).toEqual({
    branch: { user: 'b', leaf: { token: '********' } },
    other: { token: '********' },
  })
  const leafReference = {
    block_document: {
      id: leaf.id,
      name: 'leaf',
      block_type: type,
      is_anonymous: false,
      block_document_references: {},
    },
  }
  expect(root.block_document_references).toEqual({
    branch: {
      block_document: {
        id: branch.id,
        name: 'branch',
        block_type: type,
        is_anonymous: false,
        block_document_references: { leaf: leafReference },
      },
    },
    other: leafReference,
  })
  expect((await client.readBlockDocument(root.id, true)).data).toMatchObject({
    branch: { leaf: { token: 'hush' } },
  })
  await expect(
    client.updateBlockDocument(leaf.id, { data: { back: reference(root.id) } }),
  ).rejects.toMatchObject({ status: 400 })
  await client.updateBlockDocument(root.id, { data: { user: 'r' } })
  expect((await client.readBlockDocument(root.id)).data).toEqual({ user: 'r' })
  await client.deleteBlockDocument(leaf.id)
  expect(await client.readBlockDocument(branch.id)).toMatchObject({
    data: { user: 'b' },
    block_document_references: {},
  })
})

test('numbers keep their form', async () => {
  const { client, key } = await aWorkspace()
  const { ids } = await aBlockClass(client)
  const answer = await fetchWorker(`${API_URL}/block_documents/`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}` },
    body: `${JSON.stringify({ ...ids, name: 'n' }).slice(0, -1)},"data":{"a":1.0,"b":12345678901234567890}}`,
  })
  expect(await answer.text()).toContain('"data":{"a":1.0,"b":12345678901234567890}')
})

test('documents are filtered, counted and sorted; anonymous ones when they are asked for', async () => {
  const { client } = await aWorkspace()
  const { ids, slug } = await aBlockClass(client, { capabilities: ['fly'] })
  const other = await aBlockClass(client)
  await client.createBlockDocument({ ...ids, name: 'b' })
  await client.createBlockDocument({ ...ids, name: 'a' })
  await client.createBlockDocument({ ...other.ids, name: 'c' })
  const hidden = await client.createBlockDocument({ ...ids, is_anonymous: true })
  expect(hidden.name).toMatch(/^anonymous-/)
  const names = async (query: Parameters<Client['filterBlockDocuments']>[0]) =>
    (await client.filterBlockDocuments(query)).map((document) => document.name)
  expect(await names({})).toEqual(['a', 'b', 'c'])
  expect(await names({ sort: 'NAME_DESC', limit: 2 })).toEqual(['c', 'b'])
  expect(await names({ block_types: { slug: { any_: [slug] } } })).toEqual(['a', 'b'])
  expect(await names({ block_types: { slug: { any_: ['smb'] } } })).toEqual([])
  expect(await names({ block_schemas: { block_capabilities: { all_: ['fly'] } } })).toEqual([
    'a',
    'b',
  ])
  expect(await names({ block_documents: { is_anonymous: { eq_: true } } })).toEqual([hidden.name])
  expect(await names({ block_documents: { is_anonymous: null } })).toHaveLength(4)
  expect(await names({ block_documents: { name: { any_: ['b', 'c', hidden.name] } } })).toEqual([
    'b',
    'c',
  ])
  expect(await client.countBlockDocuments()).toBe(3)
  expect(await client.countBlockDocuments({ block_documents: { is_anonymous: null } })).toBe(4)
  expect((await client.readBlockDocument(hidden.id)).is_anonymous).toBe(true)
})

test.for<[string, number, object]>([
  ['without a name', 422, { name: null }],
  ['with a wrong name', 422, { name: 'A_b' }],
  ['with a name that is taken', 409, { name: 'taken' }],
  ['of a type that is not there', 404, { block_type_id: NOWHERE }],
  ['of a schema that is not there', 409, { block_schema_id: NOWHERE }],
  ['that refers to nothing', 409, { data: { a: { $ref: { block_document_id: NOWHERE } } } }],
  ['with a reference without an id', 400, { data: { a: { $ref: {} } } }],
  ['with a reference that is no id', 400, { data: { a: { $ref: { block_document_id: 5 } } } }],
  ['with too much data', 422, { data: { a: 'x'.repeat(1_000_001) } }],
])('a document %s: %i', async ([, status, body]) => {
  const { client, key } = await aWorkspace()
  const { ids } = await aBlockClass(client)
  await client.createBlockDocument({ ...ids, name: 'taken' })
  const answer = await call(key, 'POST', '/block_documents/', { ...ids, name: 'new', ...body })
  expect(answer.status).toBe(status)
  expect(await client.countBlockDocuments()).toBe(1)
})

test('a document moves to a schema of its own type only', async () => {
  const { client } = await aWorkspace()
  const { ids, type } = await aBlockClass(client)
  const other = await aBlockClass(client)
  const next = await client.createBlockSchema({ block_type_id: type.id, version: '2' })
  const { id } = await client.createBlockDocument({ ...ids, name: 'one' })
  const move = async (block_schema_id: string) =>
    await client.updateBlockDocument(id, { block_schema_id, data: {} })
  await expect(move(other.ids.block_schema_id)).rejects.toMatchObject({ status: 400 })
  await expect(move(NOWHERE)).rejects.toMatchObject({ status: 404 })
  await move(next.id)
  expect(await client.readBlockDocument(id)).toMatchObject({ block_schema_id: next.id })
  await client.deleteBlockSchema(next.id)
  await expect(client.readBlockDocument(id)).rejects.toMatchObject({ status: 404 })
})

test('results are stored in a block that can be written to, until it is gone', async () => {
  const { client } = await aWorkspace()
  const type = await client.readBlockTypeBySlug('local-file-system')
  const [schema] = await client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [type.id] } },
  })
  const folder = await client.createBlockDocument({
    name: 'results',
    block_type_id: type.id,
    block_schema_id: schema?.id ?? '',
  })
  const { ids } = await aBlockClass(client)
  const useless = await client.createBlockDocument({ ...ids, name: 'useless' })
  const none = { default_result_storage_block_id: null }
  const chosen = { default_result_storage_block_id: folder.id }
  expect(await client.readResultStorage()).toEqual(none)
  expect(await client.setResultStorage(folder.id)).toEqual(chosen)
  expect(await client.readResultStorage()).toEqual(chosen)
  await expect(client.setResultStorage(useless.id)).rejects.toMatchObject({ status: 422 })
  await expect(client.setResultStorage(NOWHERE)).rejects.toMatchObject({ status: 404 })
  await client.clearResultStorage()
  expect(await client.readResultStorage()).toEqual(none)
  await client.setResultStorage(folder.id)
  await client.deleteBlockDocument(folder.id)
  expect(await client.readResultStorage()).toEqual(none)
})

test('the settings say where the API is', async () => {
  const { client } = await aWorkspace()
  expect(await client.readSettings()).toMatchObject({
    api: { url: API_URL },
    server: { api: { default_limit: 200, csrf_protection_enabled: false } },
  })
})

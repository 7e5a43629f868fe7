import { expect, it } from 'vitest'
import type { JsonObject } from '../../core/wire/common.ts'
import { aPrefect, IS_NEWEST } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()

async function schemasOf(slug: string) {
  const type = await prefect.client.readBlockTypeBySlug(slug)
  return await prefect.client.filterBlockSchemas({
    block_schemas: { block_type_id: { any_: [type.id] } },
  })
}

async function save(slug: string, name: string, data: JsonObject): Promise<string> {
  const [schema] = await schemasOf(slug)
  const { id } = await prefect.client.createBlockDocument({
    name,
    block_type_id: schema?.block_type_id ?? '',
    block_schema_id: schema?.id ?? '',
    data,
  })
  return id
}

it('the library saves and loads blocks, with all that is in them', async () => {
  const { code, stdout, stderr } = await prefect.python('boxes.py')
  expect({ code, stderr, said: stdout.trim() }).toMatchObject({ code: 0, said: 'round trip done' })
  const shown = await prefect.client.readBlockDocumentByName('box-of-things', 'box')
  expect(shown.data).toMatchObject({
    lock: { code: '********' },
    label: { sender: '********' },
    papers: { a: '********', c: { d: '********' } },
  })
  expect(Object.keys(shown.block_document_references)).toEqual(['closed_by'])
})

it('prefect block registers, lists, shows and deletes', async () => {
  const registered = await prefect.succeeds(['block', 'register', '--file', 'boxes.py'])
  expect(registered).toMatch(/Successfully registered 5 blocks[^]*Box of Things[^]*Secret/)
  // The checksums are the client's: otherwise every registration would make schemas anew. Older releases have other
  // schemas than the one that every workspace has.
  for (const slug of ['lock', 'seal', 'box-of-things', 'secret', 'local-file-system']) {
    expect(IS_NEWEST ? [1] : [1, 2], slug).toContain((await schemasOf(slug)).length)
  }
  const id = await save('seal', 'shown', { wax: 'green' })
  const [types, inspected, created, listed, byName, byId] = await Promise.all(
    [
      ['type', 'ls'],
      ['type', 'inspect', 'box-of-things'],
      ['create', 'box-of-things'],
      ['ls'],
      ['inspect', 'seal/shown'],
      ['inspect', '--id', id],
    ].map((words) => prefect.succeeds(['block', ...words])),
  )
  expect(types).toMatch(/aws-credentials[^]*box-of-things[^]*slack-webhook/)
  expect(inspected).toMatch(/Box of Things[^]*papers/)
  expect(created).toContain('/blocks/catalog/box-of-things/create')
  expect(listed).toContain('seal/shown')
  expect(byName).toContain('green')
  expect(byId).toContain('green')
  const yes = { input: 'y\n' }
  const [, refused] = await Promise.all([
    prefect.succeeds(['block', 'delete', 'seal/shown'], yes),
    prefect.fails(['block', 'type', 'delete', 'secret'], yes),
  ])
  expect(refused).toContain('protected')
  expect(
    await prefect.client.countBlockDocuments({ block_documents: { id: { any_: [id] } } }),
  ).toBe(0)
  await prefect.succeeds(['block', 'type', 'delete', 'seal'], yes)
  await expect(prefect.client.readBlockTypeBySlug('seal')).rejects.toMatchObject({ status: 404 })
})

/** Older releases take no text around a block. */
const WAX_OF = IS_NEWEST ? 'wax of ' : ''

it('blocks fill the job variables of a worker, and are there for its flows', async () => {
  const { client } = prefect
  await save('secret', 'token', { value: 's3cret' })
  await save('local-file-system', 'wax', { basepath: '/gold' })
  await client.createWorkPool({ name: 'p', type: 'process' })
  const { opens = '' } = await prefect.deploy('boxes.py', ['opens'], 'p')
  await client.updateDeployment(opens, {
    job_variables: {
      env: {
        TOKEN: '{{ prefect.blocks.secret.token }}',
        WAX: `${WAX_OF}{{ prefect.blocks.local-file-system.wax.basepath }}`,
      },
    },
  })
  const worker = prefect.spawn(['worker', 'start', '--pool', 'p', '--type', 'process'], {
    env: { PREFECT_WORKER_QUERY_SECONDS: '1' },
  })
  const run = await client.createFlowRunFromDeployment(opens)
  expect(await prefect.ends(run)).toMatchObject({ state_name: 'Completed' })
  // Its last logs come after its last state.
  await until('it has printed its secrets', async () => {
    const messages = await prefect.messages(run)
    return messages.includes(`env s3cret ${WAX_OF}/gold`) && messages.includes('loaded s3cret')
  })
  expect(await client.readBlockDocumentByName('seal', 'made-inside')).toMatchObject({
    data: { wax: 'blue' },
  })
  await worker.stop()
})

import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function aBlock(client: Client, data: Record<string, string | number>): Promise<string> {
  const type = await client.createBlockType({ name: 'T', slug: `t-${crypto.randomUUID()}` })
  const schema = await client.createBlockSchema({
    block_type_id: type.id,
    version: crypto.randomUUID(),
  })
  const ids = { block_type_id: type.id, block_schema_id: schema.id }
  return (await client.createBlockDocument({ ...ids, name: 'b', data })).id
}

function templateWith(block_document_id: string) {
  const registry = {
    type: 'object',
    properties: { user: { type: 'string' } },
    required: ['user'],
    default: { $ref: { block_document_id } },
  }
  return {
    job_configuration: { registry: '{{ registry }}', size: '{{ size }}' },
    variables: { type: 'object', properties: { registry, size: { type: 'integer' } } },
  }
}

test('a pool’s default that names a block is judged by the block', async () => {
  const { client } = await aWorkspace()
  const create = async (id: string) =>
    await client.createWorkPool({
      name: crypto.randomUUID(),
      type: 'docker',
      base_job_template: templateWith(id),
    })
  const right = await aBlock(client, { user: 'ada' })
  expect((await create(right)).base_job_template).toEqual(templateWith(right))
  await expect(create(NOWHERE)).rejects.toMatchObject({
    status: 404,
    body: { detail: 'Block not found.' },
  })
  await expect(create(await aBlock(client, { user: 5 }))).rejects.toMatchObject({ status: 422 })
  const { client: other } = await aWorkspace()
  await expect(create(await aBlock(other, { user: 'eve' }))).rejects.toMatchObject({ status: 404 })
})

test('job variables need the blocks that defaults name', async () => {
  const { client } = await aWorkspace()
  const block = await aBlock(client, { user: 'ada' })
  const pool = await client.createWorkPool({
    name: crypto.randomUUID(),
    type: 'docker',
    base_job_template: templateWith(block),
  })
  const flow = await client.createFlow({ name: crypto.randomUUID() })
  const body = { name: 'd', flow_id: flow.id, work_pool_name: pool.name }
  const job_variables = { size: 1 }
  const deployment = await client.createDeployment({ ...body, job_variables })
  await client.updateDeployment(deployment.id, { job_variables })
  const run = await client.createFlowRunFromDeployment(deployment.id, { job_variables })
  await client.updateFlowRun(run.id, { job_variables })
  await client.deleteBlockDocument(block)
  const missing = { status: 404, body: { detail: 'Block not found.' } }
  for (const attempt of [
    () => client.createDeployment({ ...body, job_variables }),
    () => client.updateDeployment(deployment.id, { job_variables }),
    () => client.createFlowRunFromDeployment(deployment.id, { job_variables }),
    () => client.updateFlowRun(run.id, { job_variables }),
    () => client.updateWorkPool(pool.name, { base_job_template: templateWith(block) }),
  ]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await expect(attempt()).rejects.toMatchObject(missing)
  }
})

test('a deployment keeps the blocks that it names, if they are there', async () => {
  const { client } = await aWorkspace()
  const flow = await client.createFlow({ name: crypto.randomUUID() })
  const body = { name: 'd', flow_id: flow.id }
  for (const kind of ['storage', 'infrastructure']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await expect(
      client.createDeployment({ ...body, [`${kind}_document_id`]: NOWHERE }),
    ).rejects.toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining(`Could not find ${kind} block`) as string },
    })
  }
  const block = await aBlock(client, {})
  const { id } = await client.createDeployment({ ...body, storage_document_id: block })
  expect(await client.readDeployment(id)).toMatchObject({
    storage_document_id: block,
    infrastructure_document_id: null,
  })
  await client.updateDeployment(id, {
    storage_document_id: null,
    infrastructure_document_id: block,
  })
  expect(await client.readDeployment(id)).toMatchObject({
    storage_document_id: null,
    infrastructure_document_id: block,
  })
})

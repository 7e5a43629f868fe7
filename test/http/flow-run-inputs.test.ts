import { describe, expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function aFlowRun(client: Client) {
  const flow = await client.createFlow({ name: `f-${crypto.randomUUID()}` })
  return await client.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
}

async function readInput(key: string, id: string, name: string) {
  return await fetchWorker(`${API_URL}/flow_runs/${id}/input/${name}`, {
    headers: { Authorization: `Bearer ${key}` },
  })
}

test('an input is kept once by its key, read as text and deleted', async () => {
  const { client, key } = await aWorkspace()
  const { id } = await aFlowRun(client)
  const value = '{"a": 1.0, "b": "é"}'
  await client.createFlowRunInput(id, { key: 'one', value, sender: 'prefect.flow-run.x' })
  await expect(client.createFlowRunInput(id, { key: 'one', value: '2' })).rejects.toMatchObject({
    status: 409,
    body: { detail: 'A flow run input with this key already exists.' },
  })
  const read = await readInput(key, id, 'one')
  expect(read.headers.get('Content-Type')).toBe('text/plain; charset=utf-8')
  expect(await read.text()).toBe(value)
  await client.deleteFlowRunInput(id, 'one')
  expect((await readInput(key, id, 'one')).status).toBe(404)
  await expect(client.deleteFlowRunInput(id, 'one')).rejects.toMatchObject({ status: 404 })
})

test('inputs are listed by the beginning of their keys, the oldest first', async () => {
  const { client } = await aWorkspace()
  const { id } = await aFlowRun(client)
  for (const key of ['a-2', 'b-1', 'a-1', 'a-3']) {
    // oxlint-disable-next-line no-await-in-loop -- their order matters
    await client.createFlowRunInput(id, { key, value: `"${key}"` })
  }
  const list = async (query: Parameters<Client['filterFlowRunInputs']>[1]) =>
    (await client.filterFlowRunInputs(id, query)).map((input) => input.key)
  expect(await list({ prefix: 'a' })).toEqual(['a-2'])
  expect(await list({ prefix: 'a', limit: 5 })).toEqual(['a-2', 'a-1', 'a-3'])
  expect(await list({ prefix: 'a', limit: 5, exclude_keys: ['a-2', 'a-3'] })).toEqual(['a-1'])
  expect(await list({ prefix: '', limit: 2 })).toEqual(['a-2', 'b-1'])
  expect(await client.filterFlowRunInputs(id, { prefix: 'b' })).toMatchObject([
    { flow_run_id: id, key: 'b-1', value: '"b-1"', sender: null },
  ])
  expect(await client.filterFlowRunInputs(NOWHERE, { prefix: '' })).toEqual([])
})

test.for([
  [{ key: 'Upper', value: 'x' }, 422],
  [{ key: 'k' }, 422],
  [{ key: 'k', value: 1 }, 422],
] as const)('input %j is a %i', async ([body, status]) => {
  const { client } = await aWorkspace()
  const { id } = await aFlowRun(client)
  await expect(client.createFlowRunInput(id, body as never)).rejects.toMatchObject({ status })
})

test('a run that is not there takes no input, and a deleted one has none', async () => {
  const { client, key } = await aWorkspace()
  const other = await aWorkspace()
  const { id } = await aFlowRun(client)
  const send = { key: 'k', value: '1' }
  await expect(client.createFlowRunInput(NOWHERE, send)).rejects.toMatchObject({ status: 404 })
  await expect(other.client.createFlowRunInput(id, send)).rejects.toMatchObject({ status: 404 })
  await client.createFlowRunInput(id, send)
  expect((await readInput(other.key, id, 'k')).status).toBe(404)
  await client.deleteFlowRun(id)
  expect((await readInput(key, id, 'k')).status).toBe(404)
  await expect(client.createFlowRunInput(id, send)).rejects.toMatchObject({ status: 404 })
})

describe('a run that is paused for input', () => {
  const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }
  const keyset = { schema: 'p-schema', response: 'p-response', description: 'p-description' }

  async function paused(client: Client, reschedule: boolean) {
    const { flow_id } = await aFlowRun(client)
    // Only a run of a deployment can be started anew.
    const deployment = await client.createDeployment({ flow_id, name: 'd' })
    const { id } = await client.createFlowRunFromDeployment(deployment.id)
    await client.setFlowRunState(id, { type: 'RUNNING' })
    await client.setFlowRunState(id, {
      type: 'PAUSED',
      state_details: {
        pause_key: 'p',
        pause_timeout: '2999-01-01T00:00:00Z',
        pause_reschedule: reschedule,
        run_input_keyset: keyset,
      },
    })
    return id
  }

  test.for([
    [false, 'RUNNING', undefined],
    [true, 'SCHEDULED', 'Resuming'],
  ] as const)('goes on with it (rescheduled: %s)', async ([reschedule, type, name]) => {
    const { client, key } = await aWorkspace()
    const id = await paused(client, reschedule)
    await client.createFlowRunInput(id, { key: keyset.schema, value: JSON.stringify(schema) })
    expect(await client.resumeFlowRun(id, { n: 3 })).toMatchObject({
      status: 'ACCEPT',
      state: { type, ...(name === undefined ? {} : { name }) },
    })
    expect(await (await readInput(key, id, keyset.response)).text()).toBe('{"n":3}')
  })

  test('stays paused when it does not fit, or nobody knows what fits', async () => {
    const { client, key } = await aWorkspace()
    const id = await paused(client, false)
    const refused = (reason: RegExp) => ({
      status: 'REJECT',
      state: { type: 'PAUSED' },
      details: { type: 'abort_details', reason: expect.stringMatching(reason) as string },
    })
    expect(await client.resumeFlowRun(id, { n: 3 })).toMatchObject(refused(/schema not found/))
    await client.createFlowRunInput(id, { key: keyset.schema, value: JSON.stringify(schema) })
    expect(await client.resumeFlowRun(id, { n: 'x' })).toMatchObject(refused(/field 'n'/))
    expect(await client.resumeFlowRun(id)).toMatchObject(refused(/'n'/))
    const broken = { __prefect_kind: 'json', value: '{' }
    expect(await client.resumeFlowRun(id, { n: broken })).toMatchObject(refused(/^Error hydrating/))
    expect((await readInput(key, id, keyset.response)).status).toBe(404)
    expect((await client.readFlowRun(id)).state?.type).toBe('PAUSED')
  })
})

import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { aWorkspace } from '../support/workspace.ts'

/** What the workspace has been told of this kind of object, the oldest first; events come after the answer. */
async function told(client: Client, kind: string, count: number) {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- looks again and again
    const { events } = await client.filterEvents({
      filter: { event: { prefix: [`prefect.${kind}.`] }, order: 'ASC' },
    })
    if (events.length >= count) {
      return events
    }
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('every change of a variable is told', async () => {
  const { client } = await aWorkspace()
  const made = await client.createVariable({ name: 'told', value: 1 })
  await client.updateVariable('told', { value: [2] })
  await client.deleteVariable('told')
  const events = await told(client, 'variable', 3)
  expect(events.map((event) => [event.event, event.payload])).toEqual([
    ['prefect.variable.created', { name: 'told', value: 1, tags: [] }],
    ['prefect.variable.updated', { name: 'told', value: [2], tags: [] }],
    ['prefect.variable.deleted', { name: 'told', value: [2], tags: [] }],
  ])
  expect(events[0]?.resource).toEqual({
    'prefect.resource.id': `prefect.variable.${made.id}`,
    'prefect.resource.name': 'told',
  })
})

test('a key of artifacts is told when what it shows is another one', async () => {
  const { client } = await aWorkspace()
  const flow_run_id = crypto.randomUUID()
  const first = await client.createArtifact({ key: 'k', type: 'table', data: 1, flow_run_id })
  const [shown] = await client.filterLatestArtifacts()
  const second = await client.createArtifact({ key: 'k', data: 'x', description: 'two' })
  await client.updateArtifact(second.id, { data: 'y' })
  await client.deleteArtifact(second.id)
  await client.deleteArtifact(first.id)
  await client.createArtifact({ data: 'of no key' })
  const events = await told(client, 'artifact-collection', 4)
  expect(events.map(({ event, payload }) => [event.split('.').at(-1), payload?.['data']])).toEqual([
    ['created', 1],
    ['updated', 'x'],
    ['updated', 1],
    ['deleted', 1],
  ])
  expect(events[0]).toMatchObject({
    resource: { 'prefect.resource.id': `prefect.artifact-collection.${shown?.id ?? ''}` },
    related: [
      {
        'prefect.resource.id': `prefect.artifact.${first.id}`,
        'prefect.resource.role': 'latest',
      },
      {
        'prefect.resource.id': `prefect.flow-run.${flow_run_id}`,
        'prefect.resource.role': 'flow-run',
      },
    ],
    payload: { key: 'k', type: 'table', data: 1, description: null },
  })
})

test('flows are told of', async () => {
  const { client } = await aWorkspace()
  const flow = await client.createFlow({ name: 'f', tags: ['a'] })
  await client.createFlow({ name: 'f' })
  await client.updateFlow(flow.id, { tags: ['b'] })
  await client.deleteFlow(flow.id)
  const events = await told(client, 'flow', 3)
  expect(events.map(({ event, payload }) => [event, payload?.['tags']])).toEqual([
    ['prefect.flow.created', ['a']],
    ['prefect.flow.updated', ['b']],
    ['prefect.flow.deleted', ['b']],
  ])
})

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import type { State, StateCreate } from '#core/wire/state.ts'
import { eventStreamStub, homeStub } from '../../worker/operations/stubs.ts'
import { call } from '../support/call.ts'
import { setFault, type Fault } from '../support/faulty-binding.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace } from '../support/workspace.ts'

/** A run of a pool's deployment, with its home. */
async function aRun() {
  const { client, workspace, key } = await aWorkspace()
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const flow = await client.createFlow({ name: 'etl' })
  const deployment = await client.createDeployment({
    name: 'nightly',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
    tags: ['of deployment'],
  })
  const run = await client.createFlowRunFromDeployment(deployment.id, { tags: ['of run'] })
  const home = asStub(homeStub(workspace, homeKeyOf(run.id)))
  const stream = asStub(eventStreamStub(workspace, run.id))
  return {
    client,
    workspace,
    pool,
    deployment,
    run,
    home,
    stream,
    propose: async (state: StateCreate) => await client.setFlowRunState(run.id, state),
    events: async (): Promise<ReceivedEvent[]> => {
      const filter = {
        resource: { id: [`prefect.flow-run.${run.id}`] },
        order: 'ASC' as const,
      }
      return (await client.filterEvents({ filter })).events
    },
    stateIds: async (): Promise<string[]> =>
      ((await call(key, 'GET', `/flow_run_states/?flow_run_id=${run.id}`)).body as State[]).map(
        ({ id }) => id,
      ),
  }
}

async function rowsOf(home: DurableObjectStub, query: string): Promise<number> {
  return await runInDurableObject(
    home,
    (_object, state) => state.storage.sql.exec<{ n: number }>(query).one().n,
  )
}

test('every state of a run becomes an event with its id and time, in their order', async () => {
  const { client, run, pool, deployment, propose, events, stateIds } = await aRun()
  await propose({ type: 'PENDING' })
  await propose({ type: 'RUNNING' })
  await propose({ type: 'COMPLETED', message: 'well done' })
  await expect.poll(async () => (await events()).length).toBe(4)
  const told = await events()
  expect(told.map(({ id }) => id)).toEqual(await stateIds())
  expect(told.map(({ event }) => event)).toEqual(
    ['Scheduled', 'Pending', 'Running', 'Completed'].map((name) => `prefect.flow-run.${name}`),
  )
  expect(told.map(({ follows }) => follows)).toEqual([
    null,
    ...told.slice(0, 3).map(({ id }) => id),
  ])
  const last = told[3]
  expect(last?.occurred).toBe((await client.readFlowRun(run.id)).state?.timestamp)
  expect(last?.related.map((labels) => labels['prefect.resource.id'])).toEqual([
    `prefect.flow.${deployment.flow_id}`,
    `prefect.deployment.${deployment.id}`,
    `prefect.work-queue.${pool.default_queue_id}`,
    `prefect.work-pool.${pool.id}`,
    'prefect.tag.of deployment',
    'prefect.tag.of run',
  ])
})

test('a flow run of no deployment tells its first state too', async () => {
  const { client } = await aWorkspace()
  const flow = await client.createFlow({ name: 'alone' })
  const run = await client.createFlowRun({ flow_id: flow.id, state: { type: 'PENDING' } })
  const filter = { resource: { id: [`prefect.flow-run.${run.id}`] } }
  await expect
    .poll(async () => (await client.filterEvents({ filter })).events.map(({ event }) => event))
    .toEqual(['prefect.flow-run.Pending'])
})

describe('while a stream is away', () => {
  test.each<Fault>(['refuses', 'takes and fails'])(
    'that %s, nothing is lost and nothing doubled, over restarts as well',
    async (fault) => {
      const { home, stream, propose, events, stateIds } = await aRun()
      await setFault(home, 'EVENT_STREAM', 'recordStates', fault)
      await propose({ type: 'PENDING' })
      await propose({ type: 'RUNNING' })
      await evictDurableObject(home)
      await evictDurableObject(stream).catch(() => undefined)
      await setFault(home, 'EVENT_STREAM', 'recordStates', fault)
      await propose({ type: 'COMPLETED' })
      expect(await rowsOf(home, 'SELECT count(*) AS n FROM run')).toBe(1)
      await evictDurableObject(home)
      await setFault(home, 'EVENT_STREAM', 'recordStates', 'none')
      await expect
        .poll(
          async () => {
            await runDurableObjectAlarm(home)
            return (await events()).map(({ id }) => id)
          },
          { timeout: 10_000 },
        )
        .toEqual(await stateIds())
      // Then it leaves, and the note of it goes.
      await expect
        .poll(
          async () => {
            await runDurableObjectAlarm(home)
            return await rowsOf(
              home,
              "SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM meta WHERE key = 'events_since') AS n",
            )
          },
          { timeout: 15_000, interval: 500 },
        )
        .toBe(0)
      expect((await events()).map(({ id }) => id)).toEqual(await stateIds())
    },
  )
})

import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import type { StateType } from '#core/wire/state.ts'
import { call } from '../support/call.ts'
import { eventually } from '../support/eventually.ts'
import { aWorkspace } from '../support/workspace.ts'

const agent = { agent_id: crypto.randomUUID(), name: 'a', version: '1' }

async function aDeployment(client: Client, extra: object = {}) {
  const flow = await client.createFlow({ name: `f-${crypto.randomUUID()}` })
  const pool = await client.createWorkPool({ name: 'p', type: 'process' })
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: pool.name,
    ...extra,
  })
  return { flow, pool, deployment }
}

const states = async (client: Client, ids: readonly string[]): Promise<(string | null)[]> => {
  const runs = await Promise.all(ids.map((id) => client.readFlowRun(id)))
  return runs.map(({ state_name }) => state_name)
}

async function inStates(client: Client, types: StateType[]): Promise<string[]> {
  const { deployment } = await aDeployment(client)
  const { flow_runs } = await client.createFlowRunsFromDeployment(
    deployment.id,
    types.map(() => ({})),
  )
  const ids = flow_runs.map(({ id }) => id)
  await Promise.all(
    types.map(async (type, index) => {
      const id = ids[index] ?? ''
      if (type !== 'SCHEDULED') {
        await client.setFlowRunState(id, { type: 'RUNNING' }, true)
      }
      if (type !== 'SCHEDULED' && type !== 'RUNNING') {
        await client.setFlowRunState(id, { type }, true)
      }
    }),
  )
  return ids
}

test('waiting runs are cancelled, running ones are stopped, ended ones are left alone', async () => {
  const { client } = await aWorkspace()
  const ids = await inStates(client, ['SCHEDULED', 'RUNNING', 'COMPLETED'])
  expect(await client.bulkCancelFlowRuns({ flow_runs: {}, dry_run: true })).toEqual({
    chosen: 2,
    job: null,
  })
  expect(await states(client, ids)).toEqual(['Scheduled', 'Running', 'Completed'])
  const { chosen, job } = await client.bulkCancelFlowRuns({ flow_runs: {} })
  expect(chosen).toBe(2)
  expect(job).toMatchObject({
    kind: 'cancel_flow_runs',
    state: 'COMPLETED',
    chosen: 2,
    done: 2,
    skipped: 0,
    reasons: {},
    message: null,
  })
  expect(await states(client, ids)).toEqual(['Cancelled', 'Cancelling', 'Completed'])
  expect(await client.bulkCancelFlowRuns({ flow_runs: {} })).toEqual({ chosen: 0, job: null })
})

test('runs that failed, crashed or were cancelled run again', async () => {
  const { client } = await aWorkspace()
  const ids = await inStates(client, ['FAILED', 'CRASHED', 'CANCELLED', 'COMPLETED', 'RUNNING'])
  const { job } = await client.bulkRetryFlowRuns({ flow_runs: { id: { any_: ids } } })
  expect(job).toMatchObject({ done: 3, skipped: 0 })
  expect(await states(client, ids)).toEqual([
    'AwaitingRetry',
    'AwaitingRetry',
    'AwaitingRetry',
    'Completed',
    'Running',
  ])
})

test('a run that nothing could start again is skipped with the reason', async () => {
  const { client } = await aWorkspace()
  const flow = await client.createFlow({ name: 'lone' })
  const run = await client.createFlowRun({ flow_id: flow.id, state: { type: 'FAILED' } })
  const { job } = await client.bulkRetryFlowRuns({ flows: { name: { any_: ['lone'] } } })
  expect(job).toMatchObject({
    done: 0,
    skipped: 1,
    reasons: { 'Cannot reschedule a run without an associated deployment.': 1 },
  })
  expect(await states(client, [run.id])).toEqual(['Failed'])
})

test('paused runs are not given out, and go on at their time when they are resumed', async () => {
  const { client } = await aWorkspace()
  const { deployment } = await aDeployment(client)
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString()
  const later = { type: 'SCHEDULED' as const, state_details: { scheduled_time: tomorrow } }
  const { flow_runs } = await client.createFlowRunsFromDeployment(deployment.id, [
    {},
    { state: later },
    {},
  ])
  const ids = flow_runs.map(({ id }) => id)
  await client.setFlowRunState(ids[2] ?? '', { type: 'RUNNING' }, true)
  const { job } = await client.bulkPauseFlowRuns({ flow_runs: {}, timeout_seconds: 3600 })
  expect(job).toMatchObject({ kind: 'pause_flow_runs', done: 3, skipped: 0 })
  expect(await states(client, ids)).toEqual(['Suspended', 'Suspended', 'Suspended'])
  const [first, second] = await Promise.all(ids.map((id) => client.readFlowRun(id)))
  expect(first?.state?.state_details).toMatchObject({ pause_reschedule: true })
  expect(Date.parse(first?.state?.state_details.pause_timeout ?? '')).toBeGreaterThan(
    Date.now() + 3_000_000,
  )
  const claimed = await client.claim('p', { agent, limit: 5 })
  expect(claimed.runs).toEqual([])
  await Promise.all(ids.slice(0, 2).map((id) => client.resumeFlowRun(id)))
  const again = await client.readFlowRun(ids[1] ?? '')
  expect(again.state_name).toBe('Resuming')
  expect(again.next_scheduled_start_time).toBe(second?.expected_start_time)
})

test('deleted runs are gone with what they reserved', async () => {
  const { client } = await aWorkspace()
  const { deployment } = await aDeployment(client)
  const items = Array.from({ length: 60 }, (_, index) => ({ idempotency_key: `k${index}` }))
  const before = await client.createFlowRunsFromDeployment(deployment.id, items)
  const { chosen, job } = await client.bulkRemoveFlowRuns({ flow_runs: {} })
  expect(chosen).toBe(60)
  expect(job).toMatchObject({ state: 'COMPLETED', done: 60 })
  expect(await client.countFlowRuns()).toBe(0)
  const after = await client.createFlowRunsFromDeployment(deployment.id, items)
  expect(after.flow_runs.every(({ created }) => created)).toBe(true)
  expect(after.flow_runs[0]?.id).not.toBe(before.flow_runs[0]?.id)
})

test('a request that names no filter is refused', async () => {
  const { client, key } = await aWorkspace()
  await expect(client.bulkCancelFlowRuns({})).rejects.toMatchObject({ status: 422 })
  const answer = await call(key, 'POST', '/flow_runs/bulk_remove', { flow_run: {} })
  expect(answer.status).toBe(422)
})

test('the same request is one job, another under its key is refused', async () => {
  const { client } = await aWorkspace()
  await inStates(client, ['SCHEDULED', 'SCHEDULED'])
  const request = { flow_runs: {}, idempotency_key: 'once' }
  const first = await client.bulkCancelFlowRuns(request)
  const second = await client.bulkCancelFlowRuns(request)
  expect(second).toEqual(first)
  expect(first.job?.done).toBe(2)
  await expect(client.bulkRetryFlowRuns(request)).rejects.toMatchObject({ status: 409 })
  expect(await client.listJobs()).toEqual([first.job])
})

test('many runs are changed by a job that tells how far it is', { timeout: 120_000 }, async () => {
  const { client } = await aWorkspace()
  const { deployment } = await aDeployment(client)
  await client.createFlowRunsFromDeployment(
    deployment.id,
    Array.from({ length: 600 }, () => ({})),
  )
  const { chosen, job } = await client.bulkCancelFlowRuns({
    deployments: { id: { any_: [deployment.id] } },
  })
  expect(chosen).toBe(600)
  expect(job).toMatchObject({ state: 'RUNNING', chosen: 600, done: 0 })
  const late = await client.createFlowRunFromDeployment(deployment.id)
  const ended = await eventually(async () => {
    const now = await client.readJob(job?.id ?? '')
    return now.state !== 'RUNNING' && now
  })
  expect(ended).toMatchObject({ state: 'COMPLETED', chosen: 600, done: 600, skipped: 0 })
  expect((await client.readFlowRun(late.id)).state_name).toBe('Scheduled')
  expect(
    await client.countFlowRuns({ flow_runs: { state: { name: { any_: ['Cancelled'] } } } }),
  ).toBe(600)
  expect(await client.cancelJob(job?.id ?? '')).toMatchObject({ state: 'COMPLETED' })
})

test("another workspace's runs and jobs are as if they were not", async () => {
  const { client } = await aWorkspace()
  const [id = ''] = await inStates(client, ['SCHEDULED'])
  const { client: stranger } = await aWorkspace()
  const filter = { flow_runs: { id: { any_: [id] } } }
  expect(await stranger.bulkCancelFlowRuns(filter)).toEqual({ chosen: 0, job: null })
  expect(await stranger.bulkRemoveFlowRuns(filter)).toEqual({ chosen: 0, job: null })
  const { job } = await client.bulkCancelFlowRuns(filter)
  await expect(stranger.readJob(job?.id ?? '')).rejects.toMatchObject({ status: 404 })
  await expect(stranger.cancelJob(job?.id ?? '')).rejects.toMatchObject({ status: 404 })
  expect(await stranger.listJobs()).toEqual([])
})

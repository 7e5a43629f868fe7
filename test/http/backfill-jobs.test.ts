import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import type { BackfillCreate } from '#core/wire/backfill.ts'
import { aWorkspace } from '../support/workspace.ts'

const DAY = { start: '2020-01-01T00:00:00Z', end: '2020-01-01T23:00:00Z' }
/** Three steps. */
const LONG = { start: '2020-01-01T00:00:00Z', end: '2020-02-18T23:00:00Z' }

async function aDeployment(client: Client) {
  const flow = await client.createFlow({ name: 'f' })
  await client.createWorkPool({ name: 'p', type: 'process' })
  return await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: 'p',
    parameters: { a: 1 },
    schedules: [
      { schedule: { interval: 3600, anchor_date: '2020-01-01T00:00:00Z' }, parameters: { b: 2 } },
      { schedule: { interval: 60 }, active: false },
    ],
  })
}

const past = { flow_runs: { expected_start_time: { before_: '2021-01-01T00:00:00Z' } } }

test('each date of a span gets one run, however often it is asked for', async () => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  const order: BackfillCreate = {
    ...DAY,
    parameters: { b: 3 },
    tags: ['again'],
    work_queue_name: 'backfills',
  }
  const made = await client.backfillDeployment(id, order)
  expect(made).toMatchObject({
    dates: 24,
    first: '2020-01-01T00:00:00.000000Z',
    last: '2020-01-01T23:00:00.000000Z',
    job: { kind: 'backfill', state: 'COMPLETED', chosen: 24, done: 24, skipped: 0 },
  })
  const again = await client.backfillDeployment(id, order)
  expect(again.job).toMatchObject({ done: 0, skipped: 24 })
  const runs = await client.filterFlowRuns({ ...past, sort: 'EXPECTED_START_TIME_ASC' })
  expect(runs.map((run) => Number(run.expected_start_time?.slice(11, 13)))).toEqual(
    Array.from({ length: 24 }, (_, hour) => hour),
  )
  expect(runs[0]).toMatchObject({
    parameters: { a: 1, b: 3 },
    tags: ['auto-scheduled', 'backfill', 'again'],
    work_queue_name: 'backfills',
  })
})

test('a change of the deployment, or a pause, leaves what was asked for', async () => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  await client.backfillDeployment(id, DAY)
  await client.pauseDeployment(id)
  expect(await client.countFlowRuns(past)).toBe(24)
})

test('a long span goes on as a job', async () => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  const { job, dates } = await client.backfillDeployment(id, LONG)
  expect([dates, job?.done]).toEqual([1176, 500])
  await expect
    .poll(async () => (await client.readJob(job?.id ?? '')).state, { timeout: 60_000 })
    .toBe('COMPLETED')
  expect(await client.readJob(job?.id ?? '')).toMatchObject({ chosen: 1176, done: 1176 })
  await expect.poll(async () => await client.countFlowRuns(past), { timeout: 60_000 }).toBe(1176)
})

test('a dry run counts and makes nothing', async () => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  expect(await client.backfillDeployment(id, { ...DAY, dry_run: true })).toMatchObject({
    dates: 24,
    job: null,
  })
  expect(await client.countFlowRuns(past)).toBe(0)
})

test('a paused schedule is backfilled when it is named', async () => {
  const { client } = await aWorkspace()
  const { id, schedules } = await aDeployment(client)
  const paused = schedules.find(({ active }) => !active)
  const span = { start: '2020-01-01T00:00:00Z', end: '2020-01-01T00:05:00Z' }
  const { dates } = await client.backfillDeployment(id, { ...span, schedule_id: paused?.id })
  expect(dates).toBeGreaterThanOrEqual(5)
})

test.for([
  [{ ...DAY, end: '2019-01-01T00:00:00Z' }, 422, 'end is before start'],
  [{ ...DAY, limit: 23 }, 422, 'There are 24 dates; at most 23'],
  [{ ...DAY, end: '2040-01-01T00:00:00Z' }, 422, 'more than 100000 dates'],
  [{ ...DAY, schedule_id: '00000000-0000-4000-8000-000000000000' }, 404, 'Schedule not found'],
  [{ start: DAY.start }, 422, 'end'],
] as const)('%j is refused', async ([body, status, message]) => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  await expect(client.backfillDeployment(id, body as never)).rejects.toMatchObject({
    status,
    message: expect.stringContaining(message) as string,
  })
  expect(await client.countFlowRuns(past)).toBe(0)
})

test('a deployment of another workspace is as none', async () => {
  const { client } = await aWorkspace()
  const { id } = await aDeployment(client)
  const other = await aWorkspace()
  await expect(other.client.backfillDeployment(id, DAY)).rejects.toMatchObject({ status: 404 })
})

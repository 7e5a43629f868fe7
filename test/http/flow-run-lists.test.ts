import { beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import type { FlowRunSort } from '#core/wire/query.ts'
import { findFlowRun, findFlowRunStates, findRunIdOfState } from '#storage/flow-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { aDeployment, aFlow, aFlowRun, aWorkPool, aWorkQueue } from '../support/builders.ts'
import { aWorkspace } from '../support/workspace.ts'

const HOUR = 3_600_000_000
const START = Date.UTC(2026, 4, 1) * 1000
const END = '2026-05-01T06:00:00.000000Z'
const time = (hour: number, micros = 0) =>
  new Date((START + hour * HOUR) / 1000).toISOString().replace(/\.\d+Z/, '') +
  `.${String(micros).padStart(6, '0')}Z`

let client: Client
let workspace: Workspace
const ids: Record<string, string> = {}

/** Seven runs of two flows; pairs of them are equal in name or time, so that only the id tells them apart. */
beforeAll(async () => {
  ;({ client, workspace } = await aWorkspace())
  const etl = await aFlow(workspace, { name: 'etl' })
  const ml = await aFlow(workspace, { name: 'ml' })
  const pool = await aWorkPool(workspace, { name: 'k8s' })
  const queue = await aWorkQueue(workspace, { name: 'fast', work_pool_id: pool.id })
  const nightly = await aDeployment(workspace, { name: 'nightly', flow_id: etl.id })
  const placed = { deployment_id: nightly.id, work_pool_id: pool.id, work_queue_id: queue.id }
  const done = { state_type: 'COMPLETED', state_name: 'Completed' } as const
  const late = { state_type: 'SCHEDULED', state_name: 'Late' } as const
  const runs = await Promise.all(
    [
      {
        ...done,
        name: 'a',
        flow_id: etl.id,
        expected_start_time: time(0),
        start_time: time(0, 500_000),
        end_time: time(1),
        total_run_time: 3,
        tags: ['x'],
        ...placed,
        parameters: { big: 1 },
      },
      {
        ...done,
        name: 'b',
        flow_id: etl.id,
        expected_start_time: time(0),
        start_time: time(0),
        end_time: time(1),
        total_run_time: 4,
        ...placed,
      },
      {
        ...done,
        name: 'b',
        flow_id: ml.id,
        expected_start_time: time(1),
        start_time: time(1, 2),
        end_time: time(2),
        tags: ['x', 'y'],
      },
      {
        name: 'c',
        flow_id: ml.id,
        expected_start_time: time(2),
        start_time: time(2),
        state_type: 'RUNNING' as const,
        state_name: 'Running',
      },
      {
        ...late,
        name: 'd',
        flow_id: ml.id,
        expected_start_time: time(4),
        next_scheduled_start_time: time(4),
      },
      {
        ...late,
        name: 'd',
        flow_id: ml.id,
        expected_start_time: time(4),
        next_scheduled_start_time: time(3),
      },
      {
        ...done,
        name: 'e',
        flow_id: ml.id,
        expected_start_time: time(5, 999_999),
        end_time: time(6),
        deployment_id: null,
      },
    ].map((run) => aFlowRun(workspace, run)),
  )
  Object.assign(ids, { first: runs[0]?.id, etl: etl.id, nightly: nightly.id, pool: pool.id })
})

const lateness = async (names: string[]) =>
  await client.flowRunLateness({ flow_runs: { name: { any_: names } } })

describe('rows by cursor', () => {
  test.for<FlowRunSort>([
    'ID_DESC',
    'START_TIME_ASC',
    'START_TIME_DESC',
    'EXPECTED_START_TIME_ASC',
    'EXPECTED_START_TIME_DESC',
    'NAME_ASC',
    'NAME_DESC',
    'NEXT_SCHEDULED_START_TIME_ASC',
    'END_TIME_DESC',
  ])('sorted by %s are those of the whole list, once each', async (sort) => {
    const whole = await client.filterFlowRuns({ sort })
    const paged: string[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      // oxlint-disable-next-line no-await-in-loop -- a page names the next
      const page = await client.flowRunRows({ sort, limit: 2, cursor })
      paged.push(...page.rows.map((row) => row.id))
      cursor = page.next_cursor
      pages += 1
    } while (cursor !== null)
    expect(paged).toEqual(whole.map((run) => run.id))
    expect(new Set(paged).size).toBe(7)
    expect(pages).toBe(4)
  })

  test('carry the names that a table shows, and not what can be large', async () => {
    const { rows, version } = await client.flowRunRows({
      flow_runs: { id: { any_: [ids['first'] ?? ''] } },
    })
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      name: 'a',
      flow_name: 'etl',
      deployment_name: 'nightly',
      work_pool_name: 'k8s',
      work_queue_name: 'fast',
      state_name: 'Completed',
      state_message: null,
      version: 1,
      estimated_run_time: 3,
      estimated_start_time_delta: 0.5,
    })
    expect(rows[0]).not.toHaveProperty('parameters')
    expect(version).toBeGreaterThanOrEqual(0)
  })

  test('refuse a cursor of another sort, and what is none', async () => {
    const { next_cursor } = await client.flowRunRows({ sort: 'NAME_ASC', limit: 1 })
    await expect(
      client.flowRunRows({ sort: 'NAME_DESC', cursor: next_cursor }),
    ).rejects.toMatchObject({ status: 422 })
    await expect(client.flowRunRows({ cursor: 'x' })).rejects.toMatchObject({ status: 422 })
  })
})

test('a listed run is whole', async () => {
  const [run] = await client.filterFlowRuns({ flow_runs: { id: { any_: [ids['first'] ?? ''] } } })
  expect(run).toMatchObject({
    parameters: { big: 1 },
    work_pool_name: 'k8s',
    work_queue_name: 'fast',
    state: { name: 'Completed', state_details: { flow_run_id: ids['first'] } },
    infrastructure_document_id: null,
  })
  expect(run).not.toHaveProperty('states')
  expect(run).not.toHaveProperty('seq')
})

test('pages are numbered and counted', async () => {
  const page = await client.paginateFlowRuns({ limit: 3, page: 3, sort: 'NAME_ASC' })
  expect(page.results.map((run) => run.name)).toEqual(['e'])
  expect(page).toMatchObject({ count: 7, pages: 3, page: 3, limit: 3 })
  expect(await client.countFlowRuns({ flows: { name: { any_: ['etl'] } } })).toBe(2)
})

test('more than 200 at once are refused', async () => {
  await expect(client.filterFlowRuns({ limit: 201 })).rejects.toThrow(
    'limit: Input should be less than or equal to 200',
  )
})

test('facets count by each thing, most first', async () => {
  expect(
    await client.flowRunFacets({
      facets: ['state_name', 'state_type', 'flow', 'deployment', 'work_pool', 'work_queue', 'tag'],
      flow_runs: { state: { type: { any_: ['COMPLETED', 'RUNNING'] } } },
    }),
  ).toMatchObject({
    total: 5,
    facets: {
      state_name: [
        { id: 'Completed', label: 'Completed', count: 4 },
        { id: 'Running', label: 'Running', count: 1 },
      ],
      state_type: [
        { id: 'COMPLETED', count: 4 },
        { id: 'RUNNING', count: 1 },
      ],
      flow: [
        { label: 'ml', count: 3 },
        { id: ids['etl'], label: 'etl', count: 2 },
      ],
      deployment: [
        { id: null, label: null, count: 3 },
        { id: ids['nightly'], label: 'nightly', count: 2 },
      ],
      work_pool: [
        { id: null, count: 3 },
        { id: ids['pool'], label: 'k8s', count: 2 },
      ],
      work_queue: [
        { id: null, count: 3 },
        { label: 'fast', count: 2 },
      ],
      tag: [
        { id: 'x', label: 'x', count: 2 },
        { id: 'y', label: 'y', count: 1 },
      ],
    },
  })
})

test('a histogram counts each run once, in the part of time that it falls into', async () => {
  const { buckets } = await client.flowRunHistogram({ start: time(0), end: END, buckets: 3 })
  expect(buckets).toEqual([
    { start: time(0), end: time(2), counts: { COMPLETED: 3 } },
    { start: time(2), end: time(4), counts: { RUNNING: 1 } },
    { start: time(4), end: time(6), counts: { COMPLETED: 1, SCHEDULED: 2 } },
  ])
  const uneven = await client.flowRunHistogram({ start: time(0), end: END, buckets: 7 })
  expect(uneven.buckets[1]?.start).toBe('2026-05-01T00:51:25.714286Z')
  expect(uneven.buckets.at(-1)?.end).toBe(END)
  const counted = uneven.buckets.flatMap((bucket) => Object.values(bucket.counts))
  expect(counted.reduce((sum, runs) => sum + runs, 0)).toBe(7)
  await expect(
    client.flowRunHistogram({ start: END, end: time(0), buckets: 3 }),
  ).rejects.toMatchObject({ status: 422 })
})

test('a history sums up by interval and state', async () => {
  const history = await client.flowRunHistory({
    history_start: time(0),
    history_end: time(6),
    history_interval_seconds: 4 * 3600,
    flows: { name: { any_: ['etl', 'ml'] } },
    flow_runs: { state: { type: { any_: ['COMPLETED'] } } },
  })
  expect(history).toEqual([
    {
      interval_start: time(0),
      interval_end: time(4),
      states: [
        {
          state_type: 'COMPLETED',
          state_name: 'Completed',
          count_runs: 3,
          sum_estimated_run_time: 7,
          sum_estimated_lateness: 0.500002,
        },
      ],
    },
    {
      interval_start: time(4),
      interval_end: time(8),
      states: [
        {
          state_type: 'COMPLETED',
          state_name: 'Completed',
          count_runs: 1,
          sum_estimated_run_time: 0,
          sum_estimated_lateness: 0,
        },
      ],
    },
  ])
})

test('a history has 500 intervals at most, and none when it ends before it begins', async () => {
  const span = { history_start: time(0), history_interval_seconds: 1 }
  const long = await client.flowRunHistory({ ...span, history_end: time(6) })
  expect(long).toHaveLength(500)
  expect(long.at(-1)?.interval_end).toBe(time(0).replace('00:00.', '08:20.'))
  expect(await client.flowRunHistory({ ...span, history_end: time(-1) })).toEqual([])
})

test('lateness is an average in seconds, null of no runs', async () => {
  expect(await lateness(['nobody'])).toBe(null)
  expect(await lateness(['a'])).toBe(0.5)
  expect(await lateness(['b'])).toBe(0.000001)
  expect(await lateness(['d'])).toBeGreaterThan(0)
})

describe('one run', () => {
  test('is found by its id, its states and by the id of a state', async () => {
    const id = ids['first'] ?? ''
    expect(await findFlowRun(workspace, id, START)).toMatchObject({ id, name: 'a' })
    const states = await findFlowRunStates(workspace, id)
    expect(states).toHaveLength(1)
    expect(await findRunIdOfState(workspace, states?.[0]?.id ?? '')).toBe(id)
  })

  test('of another workspace is not there', async () => {
    const other = await aWorkspace()
    const id = ids['first'] ?? ''
    const states = await findFlowRunStates(workspace, id)
    expect(await findFlowRun(other.workspace, id, START)).toBe(undefined)
    expect(await findFlowRunStates(other.workspace, id)).toBe(undefined)
    expect(await findRunIdOfState(other.workspace, states?.[0]?.id ?? '')).toBe(undefined)
    expect(await other.client.countFlowRuns({ flow_runs: { id: { any_: [id] } } })).toBe(0)
  })

  test('that was deleted is not there', async () => {
    const { id, states } = await aFlowRun(workspace, { deleted: true })
    expect(await findFlowRun(workspace, id, START)).toBe(undefined)
    expect(await findRunIdOfState(workspace, states[0]?.id ?? '')).toBe(undefined)
  })
})

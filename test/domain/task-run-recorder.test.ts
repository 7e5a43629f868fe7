import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event } from '#core/wire/event.ts'
import {
  flowRunIdOf,
  linkSubflowStates,
  mergeTaskRuns,
  readTaskRunEvent,
  recordTaskRun,
  type TaskRunEvent,
} from '#domain/task-run-recorder.ts'
import { newTaskRun, type TaskRunRecord } from '#domain/task-run.ts'

const TASK_RUN = '11111111-1111-4111-8111-111111111111'
const FLOW_RUN = '22222222-2222-4222-8222-222222222222'
const NOW = '2026-01-01T01:00:00.000000Z'

function anEvent(index: number, over: Partial<Event> = {}): Event {
  const type = index === 0 ? 'PENDING' : index % 2 === 1 ? 'RUNNING' : 'FAILED'
  return {
    id: `33333333-3333-4333-8333-${String(index).padStart(12, '0')}`,
    occurred: `2026-01-01T00:00:${String(index).padStart(2, '0')}.000000Z`,
    event: `prefect.task-run.${type}`,
    resource: {
      'prefect.resource.id': `prefect.task-run.${TASK_RUN}`,
      'prefect.orchestration': 'client',
    },
    related: [
      {
        'prefect.resource.id': `prefect.flow-run.${FLOW_RUN}`,
        'prefect.resource.role': 'flow-run',
      },
    ],
    payload: {
      validated_state: { type, name: type, message: null, data: null, state_details: {} },
      task_run: {
        name: `name ${index}`,
        task_key: 'load',
        dynamic_key: '0',
        run_count: index,
        start_time: '2026-01-01 00:00:01+00:00',
      },
    },
    ...over,
  }
}

function reported(index: number): TaskRunEvent {
  const event = readTaskRunEvent(anEvent(index))
  if (event === undefined) {
    throw new Error('the event is not read')
  }
  return event
}

function record(indexes: readonly number[]): TaskRunRecord | undefined {
  let run: TaskRunRecord | undefined
  for (const index of indexes) {
    run = recordTaskRun(run, reported(index), NOW) ?? run
  }
  return run
}

test('an event of the client is read with its flow run, its times in UTC', () => {
  expect(readTaskRunEvent(anEvent(1))).toMatchObject({
    task_run_id: TASK_RUN,
    flow_run_id: FLOW_RUN,
    state: {
      id: anEvent(1).id,
      type: 'RUNNING',
      timestamp: anEvent(1).occurred,
      state_details: { flow_run_id: FLOW_RUN, task_run_id: TASK_RUN },
    },
    task_run: { start_time: '2026-01-01T00:00:01.000000Z' },
  })
})

test.each<[string, Partial<Event>]>([
  [
    'no mark of the client',
    { resource: { 'prefect.resource.id': `prefect.task-run.${TASK_RUN}` } },
  ],
  [
    'another resource',
    { resource: { 'prefect.resource.id': 'prefect.worker.x', 'prefect.orchestration': 'client' } },
  ],
  ['another event', { event: 'prefect.worker.started' }],
  ['no payload', { payload: {} }],
])('an event that reports no task run is none: %s', (_name, over) => {
  expect(readTaskRunEvent(anEvent(1, over))).toBeUndefined()
})

test('the flow run of an event is its resource, or is related to it', () => {
  expect(flowRunIdOf(anEvent(0))).toBe(FLOW_RUN)
  expect(flowRunIdOf(anEvent(0, { related: [] }))).toBeNull()
  const own = { 'prefect.resource.id': `prefect.flow-run.${TASK_RUN}` }
  expect(flowRunIdOf(anEvent(0, { resource: own }))).toBe(TASK_RUN)
})

test('a deleted task run stays as it is, and a known state changes nothing', () => {
  const run = record([0, 1])
  expect(run && recordTaskRun(run, reported(1), NOW)).toBeUndefined()
  expect(run && recordTaskRun({ ...run, deleted: true }, reported(2), NOW)).toBeUndefined()
})

test('what is recorded does not depend on order or repetition', () => {
  const inOrder = record([0, 1, 2, 3, 4])
  fc.assert(
    fc.property(
      fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
      fc.array(fc.nat(4), { maxLength: 5 }),
      (order, repeated) => {
        const run = record([...order.slice(0, 3), ...repeated, ...order.slice(3)])
        expect({ ...run, seq: 0 }).toEqual({ ...inOrder, seq: 0 })
      },
    ),
  )
})

test('states of one microsecond are ordered by how far the task run has come', () => {
  const at = anEvent(0).occurred
  const events = [0, 1, 2].flatMap(
    (index) => readTaskRunEvent(anEvent(index, { occurred: at })) ?? [],
  )
  for (const order of [events, events.toReversed()]) {
    let run: TaskRunRecord | undefined
    for (const event of order) {
      run = recordTaskRun(run, event, NOW)
    }
    expect(run?.states.map((state) => state.type)).toEqual(['PENDING', 'RUNNING', 'FAILED'])
    expect(run).toMatchObject({ state_type: 'FAILED', name: 'name 2' })
  }
})

test('a row begun anew joins the stored one as if it had never left', () => {
  const whole = record([0, 1, 2, 3])
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), fc.nat(2), (order, cut) => {
      const stored = record(order.slice(0, cut + 1))
      const local = record(order.slice(cut))
      if (stored === undefined || local === undefined) {
        throw new Error('nothing recorded')
      }
      const joined = mergeTaskRuns(stored, { ...local, id: 'another' })
      expect({ ...joined, seq: 0 }).toEqual({ ...whole, seq: 0 })
      expect(joined.seq).toBeGreaterThan(stored.seq)
    }),
  )
})

test('a row joined with its own copy in the store does not change', () => {
  const run = record([0, 1])
  expect(run && mergeTaskRuns(run, run)).toEqual(run)
  const gone = run && { ...run, deleted: true, seq: 9 }
  expect(gone && mergeTaskRuns(gone, record([0, 1, 2]) ?? gone)).toEqual(gone)
})

test('a subflow’s states go to the task run that stands for it, once, in any order', () => {
  const FLOW_STATES = ['PENDING', 'RUNNING', 'COMPLETED'] as const
  const states = FLOW_STATES.map((type, index) => ({
    id: `state ${index}`,
    type,
    name: type,
    timestamp: `2026-01-01T00:00:0${index + 1}.000000Z`,
    message: null,
    data: null,
    state_details: {},
  }))
  const create = { task_key: 'sub', dynamic_key: '0', flow_run_id: FLOW_RUN }
  const run = newTaskRun(create, TASK_RUN, 'sub-0', 0)
  const whole = linkSubflowStates(run, 'child', states, NOW)
  expect(whole).toMatchObject({
    state_type: 'COMPLETED',
    run_count: 1,
    start_time: '2026-01-01T00:00:02.000000Z',
    end_time: '2026-01-01T00:00:03.000000Z',
    total_run_time: 1,
    states: states.map(({ id }) => ({ id, state_details: { child_flow_run_id: 'child' } })),
  })
  const late = linkSubflowStates(run, 'child', states.slice(2), NOW)
  const joined = late && linkSubflowStates(late, 'child', states, NOW)
  expect({ ...joined, seq: 0 }).toEqual({ ...whole, seq: 0 })
  expect(joined && linkSubflowStates(joined, 'child', states, NOW)).toBeUndefined()
})

import { describe, expect, test } from 'vitest'
import type { FlowRunRecord } from '#domain/flow-run.ts'
import { flowRunStateEvent, type FlowRunSurroundings } from '#domain/flow-run-event.ts'
import type { State, StateType } from '#core/wire/state.ts'
import { aRecord, at } from '../support/a-home-run.ts'

const NOWHERE: FlowRunSurroundings = {
  flow_name: 'etl',
  flow_tags: [],
  deployment_name: null,
  deployment_tags: [],
  work_queue: null,
  work_pool: null,
}

function aState(type: StateType, second: number, given: Partial<State> = {}): State {
  return {
    id: `state at ${second}`,
    type,
    name: type.slice(0, 1) + type.slice(1).toLowerCase(),
    timestamp: at(second),
    message: null,
    data: null,
    state_details: {},
    ...given,
  }
}

function aRun(states: State[], given: Partial<FlowRunRecord> = {}): FlowRunRecord {
  return aRecord({ states, ...given })
}

test('an event is its state: the same id, the same time', () => {
  const run = aRun(
    [aState('PENDING', 0, { name: 'Submitting' }), aState('RUNNING', 1, { message: 'go' })],
    { run_count: 1, name: 'able-otter' },
  )
  expect(flowRunStateEvent(run, 1, NOWHERE)).toEqual({
    id: 'state at 1',
    occurred: at(1),
    event: 'prefect.flow-run.Running',
    follows: 'state at 0',
    resource: {
      'prefect.resource.id': `prefect.flow-run.${run.id}`,
      'prefect.resource.name': 'able-otter',
      'prefect.run-count': '1',
      'prefect.state-message': 'go',
      'prefect.state-name': 'Running',
      'prefect.state-timestamp': at(1).replace('Z', '+00:00'),
      'prefect.state-type': 'RUNNING',
    },
    related: [
      {
        'prefect.resource.id': `prefect.flow.${run.flow_id}`,
        'prefect.resource.role': 'flow',
        'prefect.resource.name': 'etl',
      },
    ],
    payload: {
      intended: { from: 'PENDING', to: 'RUNNING' },
      initial_state: { type: 'PENDING', name: 'Submitting' },
      validated_state: { type: 'RUNNING', name: 'Running', message: 'go' },
    },
  })
})

test('a first state comes from nothing', () => {
  const event = flowRunStateEvent(aRun([aState('SCHEDULED', 0)]), 0, NOWHERE)
  expect(event?.follows).toBeNull()
  expect(event?.payload).toMatchObject({ intended: { from: null }, initial_state: null })
})

describe('what a schedule made', () => {
  const run = aRun([aState('SCHEDULED', 0), aState('PENDING', 1)], { auto_scheduled: true })

  test('has no event of its first state', () => {
    expect(flowRunStateEvent(run, 0, NOWHERE)).toBeUndefined()
  })

  test('and the next one follows none that was never told', () => {
    expect(flowRunStateEvent(run, 1, NOWHERE)?.follows).toBeNull()
  })
})

test.each([
  [299, 'state at 0'],
  [300, null],
])('%d s after another state, it follows %s', (second, follows) => {
  const run = aRun([aState('PENDING', 0), aState('RUNNING', second)])
  expect(flowRunStateEvent(run, 1, NOWHERE)?.follows).toBe(follows)
})

test('each state tells how often the run had begun by then', () => {
  const run = aRun(
    [
      aState('RUNNING', 0),
      aState('SCHEDULED', 1, { name: 'AwaitingRetry' }),
      aState('RUNNING', 2, { name: 'Retrying' }),
      aState('COMPLETED', 3),
    ],
    { run_count: 2 },
  )
  const counts = run.states.map(
    (_state, index) => flowRunStateEvent(run, index, NOWHERE)?.resource['prefect.run-count'],
  )
  expect(counts).toEqual(['1', '1', '2', '2'])
})

test('only a pause says whether it gives its place up', () => {
  const run = aRun([
    aState('PAUSED', 0, { name: 'Suspended', state_details: { pause_reschedule: true } }),
    aState('PAUSED', 1),
    aState('RUNNING', 2),
  ])
  const states = run.states.map(
    (_state, index) => flowRunStateEvent(run, index, NOWHERE)?.payload?.['validated_state'],
  )
  expect(states).toEqual([
    { type: 'PAUSED', name: 'Suspended', pause_reschedule: 'true' },
    { type: 'PAUSED', name: 'Paused', pause_reschedule: 'false' },
    { type: 'RUNNING', name: 'Running' },
  ])
})

test('names all that the run belongs to, tags in order and once, and who made it', () => {
  const run = aRun([aState('PENDING', 0)], {
    deployment_id: 'd',
    parent_task_run_id: 't',
    tags: ['b', 'a'],
    created_by: { id: 'm', type: 'AUTOMATION', display_value: 'on failure' },
  })
  const event = flowRunStateEvent(run, 0, {
    ...NOWHERE,
    deployment_name: 'nightly',
    deployment_tags: ['c', 'a'],
    flow_tags: ['f'],
    work_queue: { id: 'q', name: 'default' },
    work_pool: { id: 'p', name: 'pool', type: 'process' },
  })
  expect(event?.related?.slice(1)).toEqual([
    {
      'prefect.resource.id': 'prefect.deployment.d',
      'prefect.resource.role': 'deployment',
      'prefect.resource.name': 'nightly',
    },
    {
      'prefect.resource.id': 'prefect.work-queue.q',
      'prefect.resource.role': 'work-queue',
      'prefect.resource.name': 'default',
    },
    {
      'prefect.resource.id': 'prefect.work-pool.p',
      'prefect.resource.role': 'work-pool',
      'prefect.resource.name': 'pool',
      'prefect.work-pool.type': 'process',
    },
    { 'prefect.resource.id': 'prefect.task-run.t', 'prefect.resource.role': 'task-run' },
    ...['a', 'b', 'c', 'f'].map((tag) => ({
      'prefect.resource.id': `prefect.tag.${tag}`,
      'prefect.resource.role': 'tag',
    })),
    {
      'prefect.resource.id': 'prefect.automation.m',
      'prefect.resource.role': 'creator',
      'prefect.resource.name': 'on failure',
    },
  ])
})

import { describe, expect, test } from 'vitest'
import { formatTimestamp, parseTimestamp } from '#core/time.ts'
import type { State, StateCreate } from '#core/wire/state.ts'
import type { TaskRunPolicy } from '#core/wire/task-run.ts'
import { proposedState } from '#domain/flow-run.ts'
import { NO_FACTS, taskPolicy, type TaskRunFacts } from '#domain/task-run-rules.ts'
import { applyTaskState, newTaskRun, toTaskRun, type TaskRunRecord } from '#domain/task-run.ts'
import { judge } from '#domain/transition.ts'

const NOW = parseTimestamp('2026-01-01T00:00:00Z') ?? 0
const seconds = (count: number) => NOW + count * 1_000_000

function aTaskRun(states: StateCreate[], policy: TaskRunPolicy = {}): TaskRunRecord {
  const create = { task_key: 't', dynamic_key: '0', empirical_policy: policy }
  let run = newTaskRun(create, 'id', 'name', NOW)
  for (const [index, state] of states.entries()) {
    run = applyTaskState(run, proposedState(state, NOW), `state ${index}`, NOW + index)
  }
  return run
}

function propose(
  run: TaskRunRecord,
  state: StateCreate,
  force = false,
  now = NOW,
  facts: Partial<TaskRunFacts> = {},
) {
  const to = proposedState(state, now)
  const from = run.states.at(-1) ?? null
  return judge(
    taskPolicy(to, force),
    { run, from, to, now },
    { ...NO_FACTS, ...facts, random: 0.5 },
  )
}

describe('CoreTaskPolicy', () => {
  test.each<[string, StateCreate[], StateCreate, string]>([
    ['running may complete', [{ type: 'RUNNING' }], { type: 'COMPLETED' }, 'accept'],
    ['a failed one may not crash', [{ type: 'FAILED' }], { type: 'CRASHED' }, 'abort'],
    ['a cancelled one may not be paused', [{ type: 'CANCELLED' }], { type: 'PAUSED' }, 'abort'],
    [
      'a completed one with a result stays',
      [{ type: 'COMPLETED', data: { type: 'reference' } }],
      { type: 'RUNNING' },
      'reject',
    ],
    [
      'one without a result runs again',
      [{ type: 'COMPLETED', data: { type: 'unpersisted' } }],
      { type: 'RUNNING' },
      'accept',
    ],
    [
      'a cache key has its limit',
      [{ type: 'RUNNING' }],
      { type: 'COMPLETED', state_details: { cache_key: 'x'.repeat(2001) } },
      'reject',
    ],
    ['without retries a failure stays', [{ type: 'RUNNING' }], { type: 'FAILED' }, 'accept'],
  ])('%s', (_name, states, proposal, verdict) => {
    expect(propose(aTaskRun(states), proposal).verdict.kind).toBe(verdict)
  })

  test('a scheduled one waits for its time, in whole seconds', () => {
    const due = formatTimestamp(NOW + 1_500_000)
    const run = aTaskRun([{ type: 'SCHEDULED', state_details: { scheduled_time: due } }])
    expect(propose(run, { type: 'RUNNING' }).verdict).toMatchObject({
      kind: 'wait',
      delaySeconds: 2,
    })
    expect(propose(run, { type: 'RUNNING' }, false, seconds(2)).verdict.kind).toBe('accept')
    expect(propose(run, { type: 'PENDING' }).to.state_details.scheduled_time).toBe(due)
  })

  test('a failure is retried as often as asked, after the delay of that try, with jitter', () => {
    const policy = { retries: 2, retry_delay: [10, 20], retry_jitter_factor: 1 }
    const first = propose(aTaskRun([{ type: 'RUNNING' }], policy), {
      type: 'FAILED',
      message: 'no',
    })
    expect(first.verdict).toMatchObject({
      kind: 'reject',
      reason: 'Retrying',
      state: {
        type: 'SCHEDULED',
        name: 'AwaitingRetry',
        message: 'no',
        state_details: { scheduled_time: formatTimestamp(seconds(15)) },
      },
    })
    const running: StateCreate = { type: 'RUNNING' }
    const retry: StateCreate = { type: 'SCHEDULED', name: 'AwaitingRetry' }
    const second = propose(aTaskRun([running, retry, running], policy), { type: 'FAILED' })
    expect(second.verdict).toMatchObject({
      state: { state_details: { scheduled_time: formatTimestamp(seconds(30)) } },
    })
    const states = [running, retry, running, retry, running]
    expect(propose(aTaskRun(states, policy), { type: 'FAILED' }).verdict.kind).toBe('accept')
    const final = { type: 'FAILED' as const, state_details: { retriable: false } }
    expect(propose(aTaskRun([running], policy), final).verdict.kind).toBe('accept')
  })

  test('another try is named so', () => {
    const running: StateCreate = { type: 'RUNNING' }
    const retry = aTaskRun([running, { type: 'SCHEDULED', name: 'AwaitingRetry' }])
    expect(propose(retry, running).to.name).toBe('Retrying')
    expect(propose(aTaskRun([running, { type: 'PENDING' }]), running).to.name).toBe('Rerunning')
    const again = propose(aTaskRun([running, { type: 'FAILED' }]), { type: 'PENDING' })
    expect(again.run.run_count).toBe(0)
  })
})

test('force asks nothing, but a deferred one becomes PENDING once only', () => {
  expect(propose(aTaskRun([{ type: 'FAILED' }]), { type: 'CRASHED' }, true).verdict.kind).toBe(
    'accept',
  )
  const deferred = { state_details: { deferred: true, task_parameters_id: null } }
  const pending: StateCreate = { type: 'PENDING', ...deferred }
  expect(propose(aTaskRun([pending]), pending, true).verdict.kind).toBe('abort')
})

test('states move counters and times', () => {
  const states: StateCreate[] = [{ type: 'PENDING' }, { type: 'RUNNING' }, { type: 'COMPLETED' }]
  const run = aTaskRun(states)
  expect(run).toMatchObject({
    run_count: 1,
    seq: 4,
    state_type: 'COMPLETED',
    state_name: 'Completed',
    expected_start_time: formatTimestamp(NOW),
    start_time: formatTimestamp(NOW + 1),
    end_time: formatTimestamp(NOW + 2),
    total_run_time: 0.000_001,
  })
  expect(toTaskRun(run, seconds(9))).toMatchObject({
    estimated_run_time: 0.000_001,
    state: { id: 'state 2' },
  })
  const again = applyTaskState(run, proposedState({ type: 'RUNNING' }, NOW), 's', NOW)
  expect(again).toMatchObject({
    end_time: null,
    start_time: formatTimestamp(NOW + 1),
    run_count: 2,
  })
  expect(again.states.at(-1)?.timestamp).toBe(formatTimestamp(NOW + 3))
})

test('the states of a task run keep within a row', () => {
  let run = aTaskRun([{ type: 'RUNNING' }])
  for (let index = 0; index < 60; index += 1) {
    const state = proposedState({ type: 'RUNNING', message: 'm'.repeat(50_000) }, NOW)
    run = applyTaskState(run, state, `s${index}`, NOW)
  }
  expect(JSON.stringify(run).length).toBeLessThan(700_000)
  expect(run.states).toHaveLength(61)
  expect(run.states.at(-1)?.message).toHaveLength(50_000)
})

describe('what a task run that wants to run meets', () => {
  const run = aTaskRun([{ type: 'PENDING' }])
  const given = (facts: Partial<TaskRunFacts>, of = run) =>
    propose(of, { type: 'RUNNING' }, false, NOW, facts)
  const aState = (state: StateCreate): State => ({
    id: 'state',
    timestamp: formatTimestamp(NOW),
    ...proposedState(state, NOW),
  })
  const flowRun = (state: StateCreate | null, runCount = 1) => ({
    id: 'flow run',
    run_count: runCount,
    state: state && aState(state),
  })

  test('a result under its cache key is taken instead', () => {
    const cached = aState({ type: 'COMPLETED', data: { type: 'reference' }, message: 'm' })
    expect(given({ cached }).verdict).toMatchObject({
      kind: 'reject',
      state: { type: 'COMPLETED', name: 'Cached', message: 'm', data: { type: 'reference' } },
    })
  })

  test.each<[string, StateCreate | null, object]>([
    ['running: it runs', { type: 'RUNNING' }, { kind: 'accept' }],
    ['without a state: it stops', null, { kind: 'abort' }],
    ['over: it stops', { type: 'COMPLETED' }, { kind: 'abort' }],
    [
      'paused: it waits with it',
      {
        type: 'PAUSED',
        state_details: { pause_reschedule: true, pause_timeout: '2026-01-02T00:00:00Z' },
      },
      {
        kind: 'reject',
        state: {
          type: 'PAUSED',
          name: 'NotReady',
          state_details: { pause_reschedule: true, pause_timeout: '2026-01-02T00:00:00Z' },
        },
      },
    ],
  ])('its flow run is %s', (_name, state, verdict) => {
    expect(given({ flowRun: flowRun(state) }).verdict).toMatchObject(verdict)
  })

  test('it follows the attempts of its flow run', () => {
    const over = aTaskRun([{ type: 'RUNNING' }, { type: 'FAILED' }])
    const again = given({ flowRun: flowRun({ type: 'RUNNING' }, 2) }, over)
    expect(again.run).toMatchObject({ flow_run_run_count: 2, run_count: 0 })
    expect(again.to.name).toBe('Retrying')
  })

  test('without slots of its tags it waits, or stops where there are none', () => {
    const full = { kind: 'full' as const, tags: ['a', 'b'], average_seconds: 10 }
    const { verdict } = given({ slots: full })
    expect(verdict).toMatchObject({ kind: 'wait', reason: expect.stringContaining('a, b') })
    expect(verdict.kind === 'wait' && verdict.delaySeconds).toBeGreaterThan(5)
    expect(given({ slots: { kind: 'zero', tag: 'a' } }).verdict.kind).toBe('abort')
  })
})

test('a deferred one may go from one Pending to the next, but not be taken twice', () => {
  const deferred = { state_details: { deferred: true } }
  const run = aTaskRun([{ type: 'PENDING', ...deferred }])
  expect(propose(run, { type: 'PENDING', ...deferred }).verdict.kind).toBe('abort')
  expect(propose(run, { type: 'PENDING', name: 'Started', ...deferred }).verdict.kind).toBe(
    'accept',
  )
})

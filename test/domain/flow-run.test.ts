import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTimestamp, parseTimestamp } from '#core/time.ts'
import type { StateCreate } from '#core/wire/state.ts'
import {
  applyState,
  DEFAULT_POLICY,
  estimates,
  isTerminalType,
  proposedState,
  toFlowRun,
  toFlowRunRow,
  type FlowRunRecord,
} from '#domain/flow-run.ts'
import { aRecord, at, inState, NOW, RUN_ID, seconds } from '../support/a-home-run.ts'

const write = (run: FlowRunRecord, state: StateCreate, now = NOW) =>
  applyState(run, proposedState(state, now), 'new', now)

describe('proposedState', () => {
  it("fills a type's defaults in", () => {
    expect(proposedState({ type: 'COMPLETED' }, NOW)).toEqual({
      type: 'COMPLETED',
      name: 'Completed',
      message: null,
      data: null,
      state_details: {},
    })
  })

  it.each<[StateCreate, string | undefined]>([
    [{ type: 'SCHEDULED' }, at(0)],
    [{ type: 'SCHEDULED', state_details: { scheduled_time: at(9) } }, at(9)],
    [{ type: 'SCHEDULED', state_details: { scheduled_time: null } }, at(0)],
    [{ type: 'PENDING' }, undefined],
  ])('%j is due at %s', (state, due) => {
    expect(proposedState(state, NOW).state_details.scheduled_time).toBe(due)
  })
})

describe('applyState', () => {
  it('writes the state with the ids of its run', () => {
    const run = write(aRecord({ parent_task_run_id: 'parent' }), {
      type: 'PENDING',
      message: 'm',
      data: [1],
      state_details: { transition_id: 't' },
    })
    expect(run).toMatchObject({
      seq: 1,
      updated: at(0),
      state_id: 'new',
      state_type: 'PENDING',
      state_name: 'Pending',
    })
    expect(run.states).toEqual([
      {
        id: 'new',
        type: 'PENDING',
        name: 'Pending',
        timestamp: at(0),
        message: 'm',
        data: [1],
        state_details: { transition_id: 't', flow_run_id: RUN_ID, task_run_id: 'parent' },
      },
    ])
  })

  it.each<[string, Partial<FlowRunRecord>, StateCreate, StateCreate, Partial<FlowRunRecord>]>([
    [
      'the first start',
      {},
      { type: 'PENDING' },
      { type: 'RUNNING' },
      { run_count: 1, start_time: at(0), end_time: null },
    ],
    [
      'another start keeps the first time',
      { start_time: at(-50), run_count: 3 },
      { type: 'SCHEDULED' },
      { type: 'RUNNING' },
      { run_count: 4, start_time: at(-50) },
    ],
    [
      'a start that resumes does not count',
      { run_count: 1, empirical_policy: { ...DEFAULT_POLICY, resuming: true } },
      { type: 'PAUSED' },
      { type: 'RUNNING' },
      { run_count: 1, empirical_policy: DEFAULT_POLICY },
    ],
    [
      'an end without a start is its own start',
      {},
      { type: 'SCHEDULED' },
      { type: 'CANCELLED' },
      { start_time: at(0), end_time: at(0), run_count: 0, next_scheduled_start_time: null },
    ],
    [
      'an end clears resuming',
      { empirical_policy: { ...DEFAULT_POLICY, resuming: true } },
      { type: 'SCHEDULED' },
      { type: 'CANCELLED' },
      { empirical_policy: DEFAULT_POLICY },
    ],
    [
      'a second end keeps the time of the first',
      { end_time: at(-5) },
      { type: 'FAILED' },
      { type: 'COMPLETED' },
      { end_time: at(-5) },
    ],
    [
      'leaving an end clears its time',
      { end_time: at(-5), start_time: at(-9) },
      { type: 'FAILED' },
      { type: 'SCHEDULED' },
      { end_time: null, start_time: at(-9) },
    ],
    [
      'a schedule tells the next start',
      { expected_start_time: at(-80) },
      { type: 'FAILED' },
      { type: 'SCHEDULED', state_details: { scheduled_time: at(7) } },
      { next_scheduled_start_time: at(7), expected_start_time: at(-80) },
    ],
    [
      'the expected start is the state for want of a schedule',
      {},
      { type: 'PENDING' },
      { type: 'RUNNING' },
      { expected_start_time: at(0) },
    ],
    [
      'resuming stays while it waits',
      { empirical_policy: { ...DEFAULT_POLICY, resuming: true } },
      { type: 'PAUSED' },
      { type: 'SCHEDULED' },
      { empirical_policy: { ...DEFAULT_POLICY, resuming: true } },
    ],
  ])('%s', (_name, given, from, to, expected) => {
    expect(write(inState(from, given), to)).toMatchObject(expected)
  })

  it('adds up the time in Running', () => {
    const first = write(write(aRecord(), { type: 'RUNNING' }), { type: 'FAILED' }, seconds(2.5))
    expect(first.total_run_time).toBe(2.5)
    const running = write(first, { type: 'RUNNING' }, seconds(10))
    expect(running.total_run_time).toBe(2.5)
    const again = write(running, { type: 'RUNNING', name: 'Still' }, seconds(11))
    expect(write(again, { type: 'COMPLETED' }, seconds(12)).total_run_time).toBe(4.5)
  })

  it('gives no two states of a run one time, also when clocks go back', () => {
    const first = write(aRecord(), { type: 'PENDING' })
    const second = write(first, { type: 'RUNNING' })
    const third = write(second, { type: 'COMPLETED' }, seconds(-30))
    expect(third.states.map(({ timestamp }) => timestamp)).toEqual(
      [NOW, NOW + 1, NOW + 2].map(formatTimestamp),
    )
    expect(third.total_run_time).toBe(0.000001)
  })

  it('cuts a long message', () => {
    const run = write(aRecord(), { type: 'FAILED', message: 'x'.repeat(200_000) })
    expect(run.states[0]?.message).toHaveLength(100_000)
  })

  it('keeps every state and stays within a row of the store', () => {
    let run = aRecord()
    for (let index = 0; index < 40; index += 1) {
      const type = index % 2 === 0 ? 'RUNNING' : 'SCHEDULED'
      run = write(run, { type, message: 'é'.repeat(50_000), data: [index] }, seconds(index))
    }
    expect(run.states).toHaveLength(40)
    const bytes = new TextEncoder().encode(JSON.stringify(run.states)).length
    expect(bytes).toBeLessThan(1_100_000)
    expect(run.states[0]).toMatchObject({ type: 'RUNNING', data: null })
    expect(run.states.at(-1)).toMatchObject({ data: [39], message: 'é'.repeat(50_000) })
  })

  it('keeps its facts together in any order of states', () => {
    const type = fc.constantFrom(
      ...(['SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const),
      ...(['CRASHED', 'PAUSED', 'CANCELLING'] as const),
    )
    const step = fc.record({ type, wait: fc.integer({ min: -5, max: 100 }) })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        let run = aRecord()
        let now = NOW
        for (const { type: next, wait } of steps) {
          const before = run
          now += wait
          run = write(run, { type: next }, now)
          expect(run.seq).toBe(before.seq + 1)
          expect(run.end_time !== null).toBe(isTerminalType(next))
          expect(run.next_scheduled_start_time !== null).toBe(next === 'SCHEDULED')
          expect(run.run_count - before.run_count).toBe(next === 'RUNNING' ? 1 : 0)
          expect(run.total_run_time).toBeGreaterThanOrEqual(before.total_run_time)
          expect(run.expected_start_time).not.toBeNull()
        }
        const times = run.states.map(({ timestamp }) => parseTimestamp(timestamp) ?? 0)
        expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b))
        expect(run.run_count).toBe(steps.filter((s) => s.type === 'RUNNING').length)
      }),
    )
  })
})

describe('estimates', () => {
  const run = {
    total_run_time: 5,
    state_type: 'SCHEDULED' as const,
    start_time: null,
    expected_start_time: at(-10),
    state_timestamp: at(-3),
  }
  it.each([
    ['late', {}, [5, 10]],
    ['early', { expected_start_time: at(10) }, [5, 0]],
    ['started late', { start_time: at(-4) }, [5, 6]],
    ['started early', { start_time: at(-14) }, [5, 0]],
    ['running', { state_type: 'RUNNING' as const, start_time: at(-3) }, [8, 7]],
    ['never started, over', { state_type: 'CANCELLED' as const }, [5, 0]],
    ['of no known time', { expected_start_time: null }, [5, 0]],
  ])('%s', (_name, given, [runTime, delta]) => {
    expect(estimates({ ...run, ...given }, NOW)).toEqual({
      estimated_run_time: runTime,
      estimated_start_time_delta: delta,
    })
  })
})

describe('what the API shows', () => {
  it('is the run without what is kept for the home, with its state', () => {
    const run = inState({ type: 'RUNNING' }, { seq: 7 })
    const shown = toFlowRun(run, { work_pool_name: 'p', work_queue_name: 'q' }, NOW)
    expect(shown).toMatchObject({
      state: { type: 'RUNNING' },
      work_pool_name: 'p',
      work_queue_name: 'q',
      estimated_run_time: 60,
    })
    expect(Object.keys(shown)).not.toEqual(expect.arrayContaining(['seq']))
    expect(shown).not.toHaveProperty('states')
    expect(shown).not.toHaveProperty('deleted')
  })

  it('is in lists without what is long', () => {
    const run = inState({ type: 'FAILED', message: 'why' }, { seq: 7, parameters: { a: 1 } })
    const names = { work_pool_name: null, work_queue_name: null }
    const row = toFlowRunRow(run, { ...names, flow_name: 'f', deployment_name: null }, NOW)
    expect(row).toMatchObject({ version: 7, state_message: 'why', flow_name: 'f' })
    expect(row).not.toHaveProperty('parameters')
    expect(row).not.toHaveProperty('state')
  })
})

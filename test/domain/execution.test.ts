import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StateCreate } from '#core/wire/state.ts'
import {
  ACCEPT_SECONDS,
  acceptRun,
  claimRun,
  endExecution,
  endOfExecution,
  isCurrent,
  LEASE_SECONDS,
  onTimer,
  renewRun,
  settled,
  START_SECONDS,
  transit,
  type ExecutionEnd,
  type HomeRun,
} from '#domain/execution.ts'
import { OFFLINE_GRACE_SECONDS } from '#domain/run-timers.ts'
import { DEFAULT_POLICY, proposedState, type FlowRunRecord } from '#domain/flow-run.ts'
import { aHomeRun, aMoment, at, inState, NOW, seconds } from '../support/a-home-run.ts'

const A = 'agent a'
const B = 'agent b'
const in_process = { ...DEFAULT_POLICY, retry_type: 'in_process' as const }

const waiting = (given: Partial<FlowRunRecord> = {}) =>
  aHomeRun(inState({ type: 'SCHEDULED', state_details: { scheduled_time: at(-60) } }, given))
const to = (run: HomeRun, state: StateCreate, when = NOW) =>
  transit(run, proposedState(state, when), aMoment(when))
const claimed = (given?: Partial<FlowRunRecord>) => claimRun(waiting(given), A, aMoment())
const accepted = (given?: Partial<FlowRunRecord>) => acceptRun(claimed(given), A, 1, aMoment()).run
const running = (given?: Partial<FlowRunRecord>) => to(accepted(given), { type: 'RUNNING' })

describe('claimRun', () => {
  it('begins an execution of its own number, under a lease until it is accepted', () => {
    const run = claimRun(aHomeRun(waiting().record, { fence: 4 }), A, aMoment())
    expect(run).toMatchObject({
      fence: 5,
      live: true,
      liveness: 'leased',
      agent_id: A,
      accepted: false,
      lease_until: seconds(ACCEPT_SECONDS),
      timer_at: seconds(ACCEPT_SECONDS),
      record: { state_type: 'PENDING', infrastructure_pid: null },
    })
    expect(run.record.states.at(-1)?.state_details.scheduled_time).toBe(at(-60))
  })
})

describe('acceptRun', () => {
  it('lets the run start once, and again for a repeated request', () => {
    const first = acceptRun(claimed(), A, 1, aMoment())
    expect(first).toMatchObject({
      answer: 'go',
      run: {
        accepted: true,
        lease_until: seconds(LEASE_SECONDS),
        record: { infrastructure_pid: `agent:${A}:1` },
      },
    })
    expect(acceptRun(first.run, A, 1, aMoment()).answer).toBe('go')
  })

  it.each<[string, HomeRun, string, number, string]>([
    ['another agent', claimed(), B, 1, 'the execution is no longer current'],
    ['an old fence', claimed(), A, 0, 'the execution is no longer current'],
    ['a fence to come', claimed(), A, 2, 'the execution is no longer current'],
    ['a run that waits', waiting(), A, 1, 'the execution is no longer current'],
  ])('refuses %s and changes nothing', (_name, run, agent, fence, reason) => {
    expect(acceptRun(run, agent, fence, aMoment())).toEqual({ answer: 'stop', reason, run })
  })

  it('ends what was cancelled, or deleted, between its claim and now', () => {
    const cancelling = acceptRun(to(claimed(), { type: 'CANCELLING' }), A, 1, aMoment())
    expect(cancelling).toMatchObject({
      answer: 'stop',
      run: { live: false, record: { state_type: 'CANCELLED' } },
    })
    const run = claimed()
    const deleted = { ...run, record: { ...run.record, deleted: true } }
    expect(acceptRun(deleted, A, 1, aMoment())).toMatchObject({
      answer: 'stop',
      reason: 'the run was deleted',
      run: { live: false },
    })
  })

  it.each<[string, HomeRun]>([
    ['runs', running()],
    ['is being cancelled', to(running(), { type: 'CANCELLING' })],
    ['was lost while it ran', onTimer(running(), aMoment(seconds(LEASE_SECONDS)))],
  ])('a late copy of the question ends nothing that %s', (_name, run) => {
    const { answer, run: after } = acceptRun(run, A, 1, aMoment(seconds(LEASE_SECONDS)))
    expect(answer).toBe('stop')
    expect(after).toEqual(run)
  })

  it('lets a run start whose agent was thought lost while it asked', () => {
    const later = seconds(LEASE_SECONDS)
    const lost = onTimer(accepted(), aMoment(later))
    expect(lost.record.state_type).toBe('CRASHED')
    expect(acceptRun(lost, A, 1, aMoment(later))).toMatchObject({
      answer: 'go',
      run: {
        live: true,
        lost: false,
        lease_until: seconds(2 * LEASE_SECONDS),
        record: { state_type: 'PENDING' },
      },
    })
  })
})

describe('renewRun', () => {
  it('extends the lease of a run that goes on', () => {
    const renewed = renewRun(running(), A, 1, aMoment(seconds(10)))
    expect(renewed).toMatchObject({
      answer: 'keep',
      reason: null,
      run: { lease_until: seconds(10 + LEASE_SECONDS), timer_at: seconds(10 + LEASE_SECONDS) },
    })
    expect(renewed.run.record).toEqual(running().record)
  })

  it('counts as accepting, for an agent that missed the answer', () => {
    expect(renewRun(claimed(), A, 1, aMoment()).run.accepted).toBe(true)
  })

  it.each<[string, (run: HomeRun) => HomeRun, number, 'keep' | 'cancel']>([
    // what has become of the run, how many seconds later the agent renews
    ['it is being cancelled', (run) => to(run, { type: 'CANCELLING' }), 1, 'cancel'],
    ['it is cancelled', (run) => to(run, { type: 'CANCELLED' }), 1, 'cancel'],
    ['it is over just now', (run) => to(run, { type: 'COMPLETED' }), 29, 'keep'],
    ['it has been over for long', (run) => to(run, { type: 'COMPLETED' }), 31, 'cancel'],
    ['it pauses', (run) => to(run, { type: 'PAUSED' }), 100, 'keep'],
    [
      'it is suspended just now',
      (run) => to(run, { type: 'PAUSED', state_details: { pause_reschedule: true } }),
      29,
      'keep',
    ],
    [
      'it has been suspended for long',
      (run) => to(run, { type: 'PAUSED', state_details: { pause_reschedule: true } }),
      31,
      'cancel',
    ],
    ['it was rescheduled by somebody', (run) => to(run, { type: 'SCHEDULED' }), 31, 'cancel'],
    [
      'it waits for its retry inside',
      (run) =>
        to(
          { ...run, record: { ...run.record, empirical_policy: in_process } },
          { type: 'SCHEDULED', name: 'AwaitingRetry' },
        ),
      100,
      'keep',
    ],
  ])('%s', (_name, change, later, answer) => {
    expect(renewRun(change(running()), A, 1, aMoment(seconds(later))).answer).toBe(answer)
  })

  it('stops what is no longer current', () => {
    for (const run of [waiting(), claimRun({ ...running(), live: false }, B, aMoment())]) {
      expect(renewRun(run, A, 1, aMoment())).toMatchObject({ answer: 'stop', run })
    }
  })

  it('brings a run back that was given up with its agent', () => {
    const lost = onTimer(running(), aMoment(seconds(LEASE_SECONDS)))
    expect(lost).toMatchObject({ lost: true, live: true, record: { state_type: 'CRASHED' } })
    const back = renewRun(lost, A, 1, aMoment(seconds(100)))
    expect(back).toMatchObject({
      answer: 'keep',
      run: { lost: false, live: true, fence: 1, record: { state_type: 'RUNNING' } },
    })
  })

  it('counts no new attempt for a run that is brought back', () => {
    const lost = onTimer(running(), aMoment(seconds(LEASE_SECONDS)))
    const { record } = renewRun(lost, A, 1, aMoment(seconds(100))).run
    expect(record).toMatchObject({ run_count: 1, end_time: null })
  })

  it('brings one back that had not begun as what it was, with its whole time to begin', () => {
    const lost = onTimer(accepted(), aMoment(seconds(LEASE_SECONDS)))
    expect(lost.record.state_type).toBe('CRASHED')
    const { run } = renewRun(lost, A, 1, aMoment(seconds(100)))
    expect(run).toMatchObject({
      live: true,
      lost: false,
      start_by: seconds(100 + START_SECONDS),
      record: { state_type: 'PENDING', run_count: 0, start_time: null, end_time: null },
    })
  })

  it('stops at once what was given up since it had not begun in time', () => {
    const kept = { ...accepted(), lease_until: seconds(START_SECONDS + LEASE_SECONDS) }
    const given = onTimer(kept, aMoment(seconds(START_SECONDS)))
    expect(renewRun(given, A, 1, aMoment(seconds(START_SECONDS + 1))).answer).toBe('cancel')
  })

  it('does not bring a run back that something else happened to', () => {
    const lost = onTimer(running(), aMoment(seconds(LEASE_SECONDS)))
    const renewed = renewRun(to(lost, { type: 'CANCELLED' }), A, 1, aMoment(seconds(100)))
    expect(renewed).toMatchObject({
      answer: 'cancel',
      run: { record: { state_type: 'CANCELLED' } },
    })
  })
})

describe('endExecution', () => {
  const suspended: StateCreate = { type: 'PAUSED', state_details: { pause_reschedule: true } }
  it.each<[string, HomeRun, ExecutionEnd, string, string | null]>([
    // what ends, how, the state then, its message
    ['running', running(), { exit_code: 3 }, 'CRASHED', 'exited with code 3'],
    ['running', running(), { signal: 'SIGKILL' }, 'CRASHED', 'ended by SIGKILL'],
    ['running', running(), { message: 'no disk' }, 'CRASHED', 'no disk'],
    ['running', running(), {}, 'CRASHED', 'ended before the run did'],
    ['pending', accepted(), { exit_code: 1 }, 'CRASHED', 'exited with code 1'],
    ['paused', to(running(), { type: 'PAUSED' }), {}, 'CRASHED', 'ended before'],
    ['suspended', to(running(), suspended), {}, 'PAUSED', null],
    [
      'not started, since the agent was stopped',
      accepted(),
      { not_started: true, interrupted: true },
      'SCHEDULED',
      'was stopped before the run had begun',
    ],
    ['begun no more than that, then too', accepted(), { interrupted: true }, 'SCHEDULED', 'begun'],
    ['not started by its own fault', accepted(), { not_started: true }, 'CRASHED', 'ended before'],
    [
      'running when its agent was stopped',
      running(),
      { interrupted: true },
      'CRASHED',
      'The agent was stopped while it ran the run.',
    ],
    ['cancelling', to(running(), { type: 'CANCELLING' }), {}, 'CANCELLED', 'was stopped'],
    ['completed', to(running(), { type: 'COMPLETED' }), { exit_code: 0 }, 'COMPLETED', null],
    ['failed', to(running(), { type: 'FAILED' }), { exit_code: 1 }, 'FAILED', null],
    ['rescheduled', to(running(), { type: 'SCHEDULED' }), {}, 'SCHEDULED', null],
  ])('%s: %j leaves it %s', (_name, run, end, type, message) => {
    const ended = endExecution(run, end, aMoment())
    expect(ended).toMatchObject({
      live: false,
      lost: false,
      agent_id: null,
      accepted: false,
      lease_until: null,
      fence: 1,
      record: { state_type: type, infrastructure_pid: null },
    })
    if (message !== null) {
      expect(ended.record.states.at(-1)?.message).toContain(message)
    }
    expect(ended.record.seq).toBeGreaterThan(run.record.seq)
  })

  it('treats a run as never begun whose lost agent proves that nothing was started', () => {
    const deployed = {
      deployment_id: 'd',
      empirical_policy: { ...DEFAULT_POLICY, infrastructure_retries: 1 },
    }
    const lost = onTimer(accepted(deployed), aMoment(seconds(LEASE_SECONDS)))
    const end = { not_started: true, interrupted: true }
    expect(endExecution(lost, end, aMoment(seconds(60)))).toMatchObject({
      live: false,
      position: 1,
      infrastructure_attempts: 0,
      record: {
        state_name: 'Scheduled',
        next_scheduled_start_time: at(-60),
        run_count: 0,
        start_time: null,
        end_time: null,
      },
    })
    const begun = onTimer(running(deployed), aMoment(seconds(LEASE_SECONDS)))
    expect(endExecution(begun, end, aMoment(seconds(60)))).toMatchObject({
      infrastructure_attempts: 1,
      record: { state_name: 'AwaitingRetry' },
    })
  })

  it('leaves a retry that waited in the process to any worker', () => {
    const run = to(
      { ...running(), record: { ...running().record, empirical_policy: in_process } },
      { type: 'SCHEDULED', name: 'AwaitingRetry' },
    )
    const ended = endExecution(run, {}, aMoment())
    expect(ended.record).toMatchObject({
      state_type: 'SCHEDULED',
      empirical_policy: { retry_type: 'reschedule' },
    })
  })

  describe('with infrastructure retries', () => {
    const policy = { ...DEFAULT_POLICY, infrastructure_retries: 2 }
    const deployed = { deployment_id: 'd', empirical_policy: policy }

    it('starts a crashed run anew, so often and no more', () => {
      let run = running(deployed)
      for (const attempt of [1, 2]) {
        run = endExecution(run, { exit_code: 137 }, aMoment())
        expect(run).toMatchObject({
          live: false,
          infrastructure_attempts: attempt,
          record: {
            state_type: 'SCHEDULED',
            state_name: 'AwaitingRetry',
            empirical_policy: { retry_type: 'reschedule' },
          },
        })
        expect(run.record.states.at(-2)?.type).toBe('CRASHED')
        run = to(acceptRun(claimRun(run, A, aMoment()), A, run.fence + 1, aMoment()).run, {
          type: 'RUNNING',
        })
      }
      expect(endExecution(run, {}, aMoment()).record.state_type).toBe('CRASHED')
    })

    it.each<[string, HomeRun]>([
      ['a failure of the flow', to(running(deployed), { type: 'FAILED' })],
      ['a cancelled run', to(running(deployed), { type: 'CANCELLING' })],
      ['a run of no deployment', running({ empirical_policy: policy })],
    ])('leaves %s', (_name, run) => {
      expect(endExecution(run, {}, aMoment()).record.state_type).not.toBe('SCHEDULED')
    })
  })
})

describe('onTimer', () => {
  it('puts a claim that was not accepted back to its old place', () => {
    const run = onTimer(claimed(), aMoment(seconds(ACCEPT_SECONDS)))
    expect(run).toMatchObject({
      live: false,
      agent_id: null,
      lease_until: null,
      fence: 1,
      position: 1,
      record: { state_type: 'SCHEDULED', next_scheduled_start_time: at(-60) },
    })
  })

  it('cancels a claim that was not accepted when that was asked for', () => {
    const run = onTimer(to(claimed(), { type: 'CANCELLING' }), aMoment(seconds(ACCEPT_SECONDS)))
    expect(run).toMatchObject({ live: false, record: { state_type: 'CANCELLED' } })
  })

  it('gives a run up whose agent is silent, but not its slot before the host must have stopped it', () => {
    const lost = onTimer(running(), aMoment(seconds(LEASE_SECONDS)))
    expect(lost).toMatchObject({
      live: true,
      lost: true,
      timer_at: seconds(LEASE_SECONDS + OFFLINE_GRACE_SECONDS),
      record: { state_type: 'CRASHED' },
    })
    expect(lost.record.states.at(-1)?.state_details).toMatchObject({ agent_lost: true })
    const over = onTimer(lost, aMoment(seconds(LEASE_SECONDS + OFFLINE_GRACE_SECONDS)))
    expect(over).toMatchObject({ live: false, timer_at: null, record: { state_type: 'CRASHED' } })
  })

  it('holds an infrastructure retry back until the lost execution must be over', () => {
    const policy = { ...DEFAULT_POLICY, infrastructure_retries: 1 }
    const run = running({ deployment_id: 'd', empirical_policy: policy })
    const lost = onTimer(run, aMoment(seconds(LEASE_SECONDS)))
    expect(lost).toMatchObject({ live: true, record: { state_type: 'CRASHED' } })
    const over = onTimer(lost, aMoment(seconds(LEASE_SECONDS + OFFLINE_GRACE_SECONDS)))
    expect(over).toMatchObject({ live: false, record: { state_name: 'AwaitingRetry' } })
  })

  it('calls a run cancelled whose agent was lost while it stopped it', () => {
    const run = onTimer(to(running(), { type: 'CANCELLING' }), aMoment(seconds(LEASE_SECONDS)))
    expect(run).toMatchObject({ lost: true, live: true, record: { state_type: 'CANCELLED' } })
  })

  it('frees the slot of a run that was over when its agent fell silent', () => {
    const run = onTimer(to(running(), { type: 'COMPLETED' }), aMoment(seconds(LEASE_SECONDS)))
    expect(run).toMatchObject({ live: false, lost: false, record: { state_type: 'COMPLETED' } })
  })

  it('marks a run late fifteen seconds after its time, once', () => {
    const due = to(waiting(), { type: 'SCHEDULED', state_details: { scheduled_time: at(20) } })
    expect(due.timer_at).toBe(seconds(20))
    const atTime = onTimer(due, aMoment(seconds(20)))
    expect(atTime).toMatchObject({ timer_at: seconds(35), record: { state_name: 'Scheduled' } })
    const late = onTimer(atTime, aMoment(seconds(35)))
    expect(late).toMatchObject({
      timer_at: null,
      record: {
        state_name: 'Late',
        next_scheduled_start_time: at(20),
        expected_start_time: at(20),
      },
    })
  })

  it('fails a pause that nobody ended', () => {
    const details = { pause_timeout: at(30) }
    const paused = to(running(), { type: 'PAUSED', state_details: details })
    expect(onTimer(paused, aMoment(seconds(29))).record.state_type).toBe('PAUSED')
    expect(onTimer(paused, aMoment(seconds(30))).record).toMatchObject({ state_type: 'FAILED' })
  })

  it('cancels what nobody confirmed to be stopped', () => {
    const run = to(to(waiting(), { type: 'RUNNING' }), { type: 'CANCELLING' })
    expect(run.timer_at).toBe(seconds(300) + 1)
    expect(onTimer(run, aMoment(seconds(301))).record.state_type).toBe('CANCELLED')
  })

  it('does nothing before its time', () => {
    const soon = inState({ type: 'SCHEDULED', state_details: { scheduled_time: at(1) } })
    for (const run of [running(), aHomeRun(soon), claimed()]) {
      expect(onTimer(settled(run, NOW), aMoment()).record).toEqual(run.record)
    }
  })
})

describe('settled', () => {
  it.each<[string, Partial<HomeRun>, StateCreate, Partial<FlowRunRecord>, boolean]>([
    ['a reporting run that is pending', {}, { type: 'PENDING' }, {}, true],
    ['a reporting run that runs', {}, { type: 'RUNNING' }, {}, true],
    ['a reporting run that is being cancelled', {}, { type: 'CANCELLING' }, {}, true],
    ['a reporting run that pauses in its process', {}, { type: 'PAUSED' }, {}, true],
    [
      'a suspended run',
      {},
      { type: 'PAUSED', state_details: { pause_reschedule: true } },
      {},
      false,
    ],
    ['a reporting run that waits', {}, { type: 'SCHEDULED' }, {}, false],
    [
      'a retry inside its process',
      {},
      { type: 'SCHEDULED' },
      { empirical_policy: in_process },
      true,
    ],
    ['a reporting run that is over', {}, { type: 'COMPLETED' }, {}, false],
    ['a run that nobody watches', { liveness: 'none' }, { type: 'RUNNING' }, {}, false],
    [
      'a leased run, whatever its state',
      { liveness: 'leased', live: true },
      { type: 'FAILED' },
      {},
      true,
    ],
    [
      'a leased run that has ended',
      { liveness: 'leased', live: false },
      { type: 'RUNNING' },
      {},
      false,
    ],
  ])('%s', (_name, given, state, record, occupied) => {
    expect(settled(aHomeRun(inState(state, record), given), NOW).live).toBe(occupied)
  })
})

describe('in any order of things', () => {
  const agent = fc.constantFrom(A, B)
  const fence = fc.integer({ min: -2, max: 1 })
  const state = fc.constantFrom<StateCreate[]>(
    { type: 'RUNNING' },
    { type: 'COMPLETED' },
    { type: 'FAILED' },
    { type: 'CRASHED' },
    { type: 'CANCELLING' },
    { type: 'SCHEDULED' },
    { type: 'PAUSED', state_details: { pause_timeout: at(500) } },
    { type: 'PAUSED', state_details: { pause_timeout: at(500), pause_reschedule: true } },
  )
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('claim' as const), agent }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('accept' as const), agent, fence }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('renew' as const), agent, fence }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('finish' as const), agent, fence }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('state' as const), state }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), for: fc.nat(200) }) },
  )

  it('no two executions live, fences only rise, and something pending has its timer', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(2), (steps, retries) => {
        const policy = { ...DEFAULT_POLICY, infrastructure_retries: retries }
        let run = settled(waiting({ deployment_id: 'd', empirical_policy: policy }), NOW)
        let now = NOW
        let rung = NOW
        let holders: { agent: string; fence: number }[] = []
        for (const each of steps) {
          const before = run
          const moment = aMoment((now += 1000))
          if (each.do === 'wait') {
            now += each.for * 1_000_000
            // The alarm rings at each timer on the way.
            for (let rings = 0; run.timer_at !== null && run.timer_at <= now; rings += 1) {
              expect(rings).toBeLessThan(10)
              run = onTimer(run, aMoment((rung = Math.max(rung + 1, run.timer_at))))
            }
          } else if (each.do === 'claim') {
            const inProcess = run.record.empirical_policy.retry_type === 'in_process'
            if (!run.live && run.record.state_type === 'SCHEDULED' && !inProcess) {
              run = claimRun(run, each.agent, moment)
              expect(run.fence).toBeGreaterThan(before.fence)
              holders.push({ agent: each.agent, fence: run.fence })
            }
          } else if (each.do === 'accept') {
            run = acceptRun(run, each.agent, run.fence + each.fence, moment).run
          } else if (each.do === 'renew') {
            run = renewRun(run, each.agent, run.fence + each.fence, moment).run
          } else if (each.do === 'finish') {
            if (isCurrent(run, each.agent, run.fence + each.fence)) {
              run = endExecution(run, { exit_code: 1 }, moment)
            }
          } else {
            run = transit(run, proposedState(each.state, now), moment)
          }
          const current = holders.filter((held) => isCurrent(run, held.agent, held.fence))
          expect(current).toHaveLength(run.live && run.liveness === 'leased' ? 1 : 0)
          // Whoever has lost a run never gets it back under its old number.
          holders = run.live ? current : []
          expect(run.fence).toBeGreaterThanOrEqual(before.fence)
          expect(run.record.seq).toBeGreaterThanOrEqual(before.record.seq)
          expect(run.record.states.length).toBeGreaterThanOrEqual(before.record.states.length)
          const type = run.record.state_type
          const leased = run.live && run.liveness === 'leased'
          if (leased || type === 'CANCELLING' || type === 'PAUSED') {
            expect(run.timer_at).not.toBeNull()
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('endOfExecution', () => {
  it('is when the execution ended, whatever becomes of the run after that', () => {
    expect(endOfExecution(running(), 1)).toBe(null)
    expect(endOfExecution(running(), 2)).toBe(0)
    const ended = endExecution(running(), { signal: 'SIGKILL' }, aMoment(seconds(10)))
    expect(endOfExecution(ended, 1)).toBe(seconds(10))
    const again = to(ended, { type: 'SCHEDULED' }, seconds(20))
    expect(endOfExecution(again, 1)).toBe(seconds(10))
    const next = claimRun(again, B, aMoment(seconds(30)))
    expect(endOfExecution(next, 1)).toBe(seconds(10))
    expect(endOfExecution(next, 2)).toBe(null)
  })

  it('is long ago for a run that was deleted, and the end of the run where nobody knows better', () => {
    const gone = running()
    expect(endOfExecution({ ...gone, record: { ...gone.record, deleted: true } }, 1)).toBe(0)
    const back = aHomeRun(inState({ type: 'COMPLETED' }, { end_time: at(-5) }), { fence: 7 })
    expect(endOfExecution(back, 1)).toBe(seconds(-5))
  })
})

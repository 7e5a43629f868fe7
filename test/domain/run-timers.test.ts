import { describe, expect, it } from 'vitest'
import type { Micros } from '#core/time.ts'
import type { StateCreate } from '#core/wire/state.ts'
import {
  acceptRun,
  claimRun,
  LEASE_SECONDS,
  onTimer,
  settled,
  START_SECONDS,
  transit,
  type HomeRun,
} from '#domain/execution.ts'
import { DEFAULT_POLICY, isTerminalType, proposedState } from '#domain/flow-run.ts'
import { OFFLINE_GRACE_SECONDS } from '#domain/run-timers.ts'
import { aHomeRun, aMoment, at, inState, NOW, seconds } from '../support/a-home-run.ts'

// Every state in which a run waits, for each way in which its execution is watched: where it comes to when nobody says anything
// any more, and when. `stays` are those in which it waits for somebody, and holds nothing that others need.

const DAY = 24 * 3600
const LOST = LEASE_SECONDS + OFFLINE_GRACE_SECONDS
const STAYS = Number.POSITIVE_INFINITY
const in_process = { ...DEFAULT_POLICY, retry_type: 'in_process' as const }
const suspension = { pause_reschedule: true }

interface Case {
  name: string
  state: StateCreate
  inProcess?: true
  /** What the run is in the end, and after how many seconds. */
  leased: [string, number]
  reported: [string, number]
  none: [string, number]
}

const CASES: Case[] = [
  {
    name: 'waiting for its time',
    state: { type: 'SCHEDULED', state_details: { scheduled_time: at(60) } },
    leased: ['Late', LOST],
    reported: ['Late', 75],
    none: ['Late', 75],
  },
  {
    name: 'late',
    state: { type: 'SCHEDULED', name: 'Late', state_details: { scheduled_time: at(-60) } },
    leased: ['Late', LOST],
    reported: ['Late', STAYS],
    none: ['Late', STAYS],
  },
  {
    name: 'waiting for a slot',
    state: {
      type: 'SCHEDULED',
      name: 'AwaitingConcurrencySlot',
      state_details: { scheduled_time: at(30) },
    },
    leased: ['AwaitingConcurrencySlot', LOST],
    reported: ['AwaitingConcurrencySlot', 30],
    none: ['AwaitingConcurrencySlot', 30],
  },
  {
    name: 'waiting for its retry, for any worker',
    state: { type: 'SCHEDULED', name: 'AwaitingRetry', state_details: { scheduled_time: at(60) } },
    leased: ['AwaitingRetry', LOST],
    reported: ['AwaitingRetry', 60],
    none: ['AwaitingRetry', 60],
  },
  {
    name: 'waiting for its retry inside its process',
    state: { type: 'SCHEDULED', name: 'AwaitingRetry', state_details: { scheduled_time: at(60) } },
    inProcess: true,
    leased: ['AwaitingRetry', LOST],
    reported: ['AwaitingRetry', 60 + OFFLINE_GRACE_SECONDS],
    none: ['Crashed', 60 + OFFLINE_GRACE_SECONDS],
  },
  {
    name: 'resuming',
    state: { type: 'SCHEDULED', name: 'Resuming', state_details: { scheduled_time: at(0) } },
    leased: ['Resuming', LOST],
    reported: ['Resuming', STAYS],
    none: ['Resuming', STAYS],
  },
  {
    name: 'pending',
    state: { type: 'PENDING' },
    leased: ['Crashed', LOST],
    // Prefect's worker says what becomes of it; its silence crashes nothing.
    reported: ['Pending', STAYS],
    none: ['Pending', STAYS],
  },
  {
    name: 'running',
    state: { type: 'RUNNING' },
    leased: ['Crashed', LOST],
    reported: ['Running', STAYS],
    none: ['Running', STAYS],
  },
  {
    name: 'pausing in its process',
    state: { type: 'PAUSED', state_details: { pause_timeout: at(1000) } },
    leased: ['Crashed', LOST],
    reported: ['Failed', 1000],
    none: ['Failed', 1000],
  },
  {
    name: 'pausing without an end',
    state: { type: 'PAUSED' },
    leased: ['Crashed', LOST],
    reported: ['Failed', 90 * DAY],
    none: ['Failed', 90 * DAY],
  },
  {
    name: 'suspended',
    state: { type: 'PAUSED', name: 'Suspended', state_details: suspension },
    leased: ['Failed', 90 * DAY],
    reported: ['Failed', 90 * DAY],
    none: ['Failed', 90 * DAY],
  },
  {
    name: 'being cancelled',
    state: { type: 'CANCELLING' },
    leased: ['Cancelled', LOST],
    reported: ['Cancelled', 300],
    none: ['Cancelled', 300],
  },
]

function inCase({ state, inProcess }: Case, liveness: HomeRun['liveness']): HomeRun {
  const policy = inProcess === true ? { empirical_policy: in_process } : {}
  const deployed = liveness === 'none' ? {} : { deployment_id: 'd', work_queue_id: 'q' }
  const record = inState(state, { ...policy, ...deployed }, at(0))
  const lease = {
    live: true,
    agent_id: 'a',
    fence: 1,
    accepted: true,
    lease_until: seconds(LEASE_SECONDS),
  }
  return settled(aHomeRun(record, { liveness, ...(liveness === 'leased' ? lease : {}) }), NOW)
}

/** Rings at each timer, the object's memory gone in between, until nothing is left that comes by itself. */
function afterAllTimers(begun: HomeRun): { run: HomeRun; changed: Micros } {
  let run = begun
  let changed = STAYS
  for (let rings = 0; run.timer_at !== null; rings += 1) {
    expect(rings).toBeLessThan(10)
    const now = run.timer_at
    const next = onTimer(JSON.parse(JSON.stringify(run)) as HomeRun, aMoment(now))
    // Each ring leads somewhere, or the alarm would ring without end.
    expect(next.timer_at === null || next.timer_at > now).toBe(true)
    run = next
    changed = now
  }
  return { run, changed }
}

describe.each(CASES)('a run that is $name', (each) => {
  it.each(['leased', 'reported', 'none'] as const)('has its end, %s', (liveness) => {
    const [name, after] = each[liveness]
    const { run, changed } = afterAllTimers(inCase(each, liveness))
    expect(run.record.state_name).toBe(name)
    expect((changed - NOW) / 1_000_000).toBe(after)
    const { state_type, empirical_policy } = run.record
    if (liveness === 'leased') {
      expect(run.live).toBe(false)
    }
    // It is over, or can be taken by somebody, or its own worker answers for it.
    const isWaiting = state_type === 'SCHEDULED' && empirical_policy.retry_type !== 'in_process'
    const isAnswered = after === STAYS && (state_type === 'PENDING' || state_type === 'RUNNING')
    expect(isTerminalType(state_type) || isWaiting || isAnswered).toBe(true)
  })
})

describe('a run that its agent has accepted', () => {
  const policy = { ...DEFAULT_POLICY, infrastructure_retries: 0 }
  const waiting = aHomeRun(
    inState(
      { type: 'SCHEDULED', state_details: { scheduled_time: at(-60) } },
      { deployment_id: 'd', empirical_policy: policy },
    ),
  )
  const accepted = acceptRun(claimRun(waiting, 'a', aMoment()), 'a', 1, aMoment()).run
  const renewed = { ...accepted, lease_until: seconds(START_SECONDS + LEASE_SECONDS) }

  it('is given up when it has not begun in time, though its agent lives', () => {
    const run = onTimer(renewed, aMoment(seconds(START_SECONDS)))
    expect(run).toMatchObject({ live: true, lost: false, record: { state_type: 'CRASHED' } })
    expect(run.record.states.at(-1)).toMatchObject({ state_details: { start_timeout: true } })
  })

  it('has as long as its job says', () => {
    const asked = acceptRun(claimRun(waiting, 'a', aMoment()), 'a', 1, aMoment(), 20).run
    expect(asked.timer_at).toBe(seconds(20))
  })

  it('has no such deadline once it runs', () => {
    const running = transit(renewed, proposedState({ type: 'RUNNING' }, NOW), aMoment())
    const later = onTimer(running, aMoment(seconds(START_SECONDS)))
    expect(later.record.state_type).toBe('RUNNING')
  })
})

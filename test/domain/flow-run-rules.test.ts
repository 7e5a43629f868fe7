import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { formatTimestamp, parseTimestamp } from '#core/time.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'
import type { FlowRunPolicy } from '#core/wire/flow-run.ts'
import type { StateCreate, StateType } from '#core/wire/state.ts'
import {
  coreFlowPolicy,
  minimalFlowPolicy,
  policyAfterVerdict,
  type FlowRunFacts,
} from '#domain/flow-run-rules.ts'
import {
  applyState,
  currentState,
  DEFAULT_POLICY,
  proposedState,
  type FlowRunRecord,
} from '#domain/flow-run.ts'
import { judge, orchestrationResult } from '#domain/transition.ts'
import { aRecord, at, inState, NOW, seconds } from '../support/a-home-run.ts'

const KEY = 'a new key'
const LEASE: string | null = null

/** Puts a proposal to the rules and writes what comes of it, as a home does. */
function propose(
  run: FlowRunRecord,
  state: StateCreate,
  given: { force?: boolean; slot?: ReturnType<FlowRunFacts['slot']>; leaseLost?: boolean } = {},
) {
  const from = currentState(run)
  const slot = () => given.slot ?? { free: true as const }
  const facts: FlowRunFacts = {
    slot,
    deploymentSlot: slot,
    newLease: () => LEASE,
    leaseLost: given.leaseLost ?? false,
    newKey: () => KEY,
  }
  const policy = given.force === true ? minimalFlowPolicy : coreFlowPolicy
  const proposal = { run, from, to: proposedState(state, NOW), now: NOW }
  const judged = judge(policy, proposal, facts)
  const { verdict } = judged
  const written =
    verdict.kind === 'accept' ? judged.to : verdict.kind === 'reject' ? verdict.state : null
  const after =
    written === null
      ? null
      : applyState(policyAfterVerdict(judged.run, verdict), written, 'new', NOW)
  return { result: orchestrationResult(verdict, after && currentState(after)), after }
}

// Every kind of run with every proposal, beside the answers of Prefect's own server.

type Spec = [type: StateType, name: string | null, data: Json, details: JsonObject]
interface Answer {
  status: string
  reason?: string
  delay?: number
  type?: string
  name?: string
  message?: string | null
  data?: Json
  scheduled?: number | null
  policy?: { resuming: boolean; pause_keys: string[]; retry_type: string | null }
  run_count?: number
  started?: boolean
  ended?: boolean
  next?: boolean
}
interface Vectors {
  prefect: string
  states: Record<string, Spec>
  proposals: Record<string, Spec>
  runs: Record<
    string,
    {
      deployed?: boolean
      subflow?: boolean
      infrastructure_pid?: string
      run_count?: number
      policy?: Partial<FlowRunPolicy>
      limit?: number
      strategy?: 'ENQUEUE' | 'CANCEL_NEW'
    }
  >
  policy: Partial<FlowRunPolicy>
  answers: Answer[]
  cases: [from: string | null, run: string, force: boolean, answers: number[]][]
}

const vectors = JSON.parse(
  readFileSync(new URL('fixtures/transitions.json', import.meta.url), 'utf8'),
) as Vectors

function stateOf([type, name, data, details]: Spec): StateCreate {
  const timed = new Set(['scheduled_time', 'pause_timeout'])
  return {
    type,
    name,
    data,
    state_details: Object.fromEntries(
      Object.entries(details).map(([key, value]) => [
        key,
        timed.has(key) ? at(Number(value)) : value,
      ]),
    ),
  }
}

function recordOf(from: string | null, name: string): FlowRunRecord {
  const given = vectors.runs[name] ?? {}
  const fields: Partial<FlowRunRecord> = {
    deployment_id: given.deployed === true ? 'deployment' : null,
    parent_task_run_id: given.subflow === true ? 'task run' : null,
    infrastructure_pid: given.infrastructure_pid ?? null,
    empirical_policy: { ...DEFAULT_POLICY, ...vectors.policy, ...given.policy },
  }
  const spec = from === null ? undefined : vectors.states[from]
  // As Prefect's was made: by writing the one state into a new run.
  const run =
    spec === undefined
      ? aRecord(fields)
      : applyState(aRecord(fields), proposedState(stateOf(spec), NOW), 'state', seconds(-60))
  return {
    ...run,
    run_count: given.run_count ?? 0,
    empirical_policy: { ...DEFAULT_POLICY, ...vectors.policy, ...given.policy },
  }
}

function answerOf(from: string | null, name: string, force: boolean, proposal: Spec): Answer {
  const run = recordOf(from, name)
  const { limit, strategy } = vectors.runs[name] ?? {}
  const full = {
    free: false as const,
    strategy: strategy ?? ('ENQUEUE' as const),
    rule: 'Deployment concurrency limit reached.',
  }
  const slot = limit === undefined ? { free: true as const } : full
  const { result, after } = propose(run, stateOf(proposal), { force, slot })
  const { details, status, state } = result
  const answer: Answer = { status }
  if ('reason' in details && details.reason !== null) {
    answer.reason = details.reason
  }
  if (details.type === 'wait_details') {
    answer.delay = details.delay_seconds
  }
  if (after === null || state === null) {
    return answer
  }
  const due = parseTimestamp(state.state_details.scheduled_time ?? '')
  const { resuming, pause_keys, retry_type } = after.empirical_policy
  return {
    ...answer,
    type: state.type,
    name: state.name,
    message: state.message,
    data: state.data,
    scheduled: due === undefined ? null : Math.round((due - NOW) / 1_000_000),
    policy: {
      resuming: resuming === true,
      pause_keys: (pause_keys ?? []).map((key) => (key === KEY ? 'new' : key)).toSorted(),
      retry_type,
    },
    run_count: after.run_count - run.run_count,
    started: after.start_time !== null,
    ended: after.end_time !== null,
    next: after.next_scheduled_start_time !== null,
  }
}

interface Difference {
  from: string | null
  run: string
  force: boolean
  to: string
  ours: Answer
  theirs: Answer
}

const differences: Difference[] = vectors.cases.flatMap(([from, run, force, answers]) =>
  Object.entries(vectors.proposals).flatMap(([to, proposal], index) => {
    const theirs = vectors.answers[answers[index] ?? -1]
    const ours = answerOf(from, run, force, proposal)
    return theirs === undefined || JSON.stringify(ours) === JSON.stringify(theirs)
      ? []
      : [{ from, run, force, to, ours, theirs }]
  }),
)

/** The names of what differs. */
function differing({ ours, theirs }: Difference): string {
  const names = new Set([...Object.keys(ours), ...Object.keys(theirs)]) as Set<keyof Answer>
  return [...names]
    .filter((name) => JSON.stringify(ours[name]) !== JSON.stringify(theirs[name]))
    .toSorted()
    .join()
}
const isOver = (type: string | undefined) =>
  ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'].includes(type ?? '')

/** Where we differ from Prefect, and mean to. */
const DELIBERATE: [why: string, is: (difference: Difference) => boolean][] = [
  [
    'the state says why the run waits, or was cancelled',
    (each) => each.ours.status === 'REJECT' && differing(each) === 'message',
  ],
  [
    'a deployment with the limit 0 is closed for now: its runs wait as for any other limit',
    ({ run, theirs }) => run === 'never' && theirs.status === 'ABORT',
  ],
  [
    'a run that is started anew and finds no slot forgets its pauses as one that finds it',
    (each) => each.run.startsWith('full') && /^(message,)?policy$/.test(differing(each)),
  ],
  [
    'going on after a pause is no new attempt, and ends the resuming',
    (each) =>
      /^(Paused|Suspended)$/.test(each.from ?? '') &&
      each.ours.type === 'RUNNING' &&
      each.ours.run_count === 0 &&
      /^policy(,run_count)?$/.test(differing(each)),
  ],
  [
    'a run that leaves its pause to end is not resuming',
    (each) =>
      differing(each) === 'policy' &&
      each.ours.policy?.resuming === false &&
      each.theirs.policy?.resuming === true &&
      (isOver(each.ours.type) || each.ours.type === 'CANCELLING'),
  ],
  [
    'a pause that is over fails the run when it would go on; the message speaks of the pause',
    (each) =>
      each.ours.type === 'FAILED' &&
      each.ours.reason === each.theirs.reason &&
      differing(each) === 'message,policy',
  ],
  [
    'a pause that is over does not change the end that the run comes to',
    ({ from, ours, theirs }) =>
      (from ?? '').endsWith(', over') &&
      ours.status === 'ACCEPT' &&
      isOver(ours.type) &&
      theirs.type === 'FAILED',
  ],
  [
    'a suspended run without a deployment can be ended',
    ({ from, run, ours, theirs }) =>
      (from ?? '').startsWith('Suspended') &&
      run === 'local' &&
      ours.status === 'ACCEPT' &&
      isOver(ours.type) &&
      (theirs.reason ?? '').endsWith('without a deployment.'),
  ],
  [
    'a refusal to leave a pause speaks of the pause',
    (each) => /^(Paused|Suspended)/.test(each.from ?? '') && differing(each) === 'reason',
  ],
]

describe(`the rules beside those of Prefect ${vectors.prefect}`, () => {
  it('have all their cases', () => {
    const types = (specs: Record<string, Spec>) =>
      new Set(Object.values(specs).map(([type]) => type)).size
    expect([types(vectors.states), types(vectors.proposals)]).toEqual([9, 9])
    expect(vectors.cases).toHaveLength(299)
  })

  it('answer the same but where they mean not to', () => {
    const unknown = differences.filter((each) => !DELIBERATE.some(([, is]) => is(each)))
    expect(unknown.slice(0, 3)).toEqual([])
  })

  it.each(DELIBERATE)('differ: %s', (_why, is) => {
    expect(differences.some((each) => is(each))).toBe(true)
  })
})

// The contract's rules in the order of their list, a row for each case.

type Row = [
  what: string,
  run: FlowRunRecord,
  proposal: StateCreate,
  status: string,
  becomes: string | null,
]
const deployed = { deployment_id: 'deployment' }
const retried = (run_count: number, retries: number | null) => ({
  run_count,
  empirical_policy: { ...DEFAULT_POLICY, retries, retry_delay: 10 },
})
const details = (state_details: StateCreate['state_details']) => ({ state_details })
const persisted = { type: 'reference' }
const aTransition = details({ transition_id: '00000000-0000-4000-8000-000000000001' })
const suspension = details({ pause_reschedule: true })

// prettier-ignore
const ROWS: Row[] = [
  ['a first state', aRecord(), { type: 'PENDING' }, 'ACCEPT', 'Pending'],
  ['a repeated transition', inState({ type: 'RUNNING', ...aTransition }), { type: 'RUNNING', ...aTransition }, 'REJECT', null],
  ['the end is final for a crash', inState({ type: 'FAILED' }), { type: 'CRASHED' }, 'ABORT', null],
  ['the end is final for a pause', inState({ type: 'CANCELLED' }), { type: 'PAUSED' }, 'ABORT', null],
  ['nothing is left to cancel', inState({ type: 'COMPLETED' }), { type: 'CANCELLING' }, 'ABORT', null],
  ['a result is kept', inState({ type: 'COMPLETED', data: persisted }), { type: 'RUNNING' }, 'REJECT', null],
  ['a result is not replaced by none', inState({ type: 'COMPLETED', data: persisted }), { type: 'COMPLETED' }, 'REJECT', null],
  ['a result is replaced by another', inState({ type: 'COMPLETED', data: persisted }), { type: 'COMPLETED', data: persisted }, 'ACCEPT', 'Completed'],
  ['one end follows another', inState({ type: 'CRASHED' }), { type: 'FAILED' }, 'ACCEPT', 'Failed'],
  ['a local run is not rescheduled', inState({ type: 'FAILED' }), { type: 'SCHEDULED' }, 'ABORT', null],
  ['a deployed one is', inState({ type: 'FAILED' }, deployed), { type: 'SCHEDULED' }, 'ACCEPT', 'Scheduled'],
  ['a local one runs again at once', inState({ type: 'FAILED' }), { type: 'RUNNING' }, 'ACCEPT', 'Running'],
  ['cancelling ends in Cancelled', inState({ type: 'CANCELLING' }), { type: 'CANCELLED' }, 'ACCEPT', 'Cancelled'],
  ['cancelling ends in nothing else', inState({ type: 'CANCELLING' }), { type: 'COMPLETED' }, 'REJECT', null],
  ['what waits is cancelled at once', inState({ type: 'SCHEDULED' }), { type: 'CANCELLING' }, 'REJECT', 'Cancelled'],
  ['a retry has a process', inState({ type: 'SCHEDULED', name: 'AwaitingRetry' }, { infrastructure_pid: '1' }), { type: 'CANCELLING' }, 'ACCEPT', 'Cancelling'],
  ['a resumed run has none', inState({ type: 'SCHEDULED', name: 'Resuming' }, { infrastructure_pid: '1' }), { type: 'CANCELLING' }, 'REJECT', 'Cancelled'],
  ['a suspended run has none', inState({ type: 'PAUSED', ...suspension }, deployed), { type: 'CANCELLING' }, 'REJECT', 'Cancelled'],
  ['a pausing process is told', inState({ type: 'PAUSED' }), { type: 'CANCELLING' }, 'ACCEPT', 'Cancelling'],
  ['two workers do not take one run', inState({ type: 'PENDING' }), { type: 'PENDING' }, 'ABORT', null],
  ['its worker goes on', inState({ type: 'PENDING' }), { type: 'PENDING', name: 'Submitting' }, 'ACCEPT', 'Submitting'],
  ['the second comes too late', inState({ type: 'PENDING', name: 'Submitting' }), { type: 'PENDING' }, 'ABORT', null],
  ['a running run is not taken', inState({ type: 'RUNNING' }), { type: 'PENDING' }, 'ABORT', null],
  ['a cancelled run is not taken', inState({ type: 'CANCELLED' }), { type: 'PENDING' }, 'ABORT', null],
  ['a crashed run is', inState({ type: 'CRASHED' }), { type: 'PENDING' }, 'ACCEPT', 'Pending'],
  ['only what waits is late', inState({ type: 'RUNNING' }), { type: 'SCHEDULED', name: 'Late' }, 'REJECT', null],
  ['it is late once', inState({ type: 'SCHEDULED', name: 'Late' }), { type: 'SCHEDULED', name: 'Late' }, 'REJECT', null],
  ['it is late', inState({ type: 'SCHEDULED' }), { type: 'SCHEDULED', name: 'Late' }, 'ACCEPT', 'Late'],
  ['what has no state is not paused', aRecord(), { type: 'PAUSED' }, 'ABORT', null],
  ['what does not run is not paused', inState({ type: 'PENDING' }), { type: 'PAUSED' }, 'REJECT', null],
  ['a local run is not suspended', inState({ type: 'RUNNING' }), { type: 'PAUSED', ...suspension }, 'ABORT', null],
  ['a subflow is not suspended', inState({ type: 'RUNNING' }, { ...deployed, parent_task_run_id: 't' }), { type: 'PAUSED', ...suspension }, 'ABORT', null],
  ['a deployed run is', inState({ type: 'RUNNING' }, deployed), { type: 'PAUSED', name: 'Suspended', ...suspension }, 'ACCEPT', 'Suspended'],
  ['a pause is not left for Pending', inState({ type: 'PAUSED' }), { type: 'PENDING' }, 'REJECT', null],
  ['a pause ends in time', inState({ type: 'PAUSED', ...details({ pause_timeout: at(1) }) }), { type: 'RUNNING' }, 'ACCEPT', 'Running'],
  ['a pause that is over fails', inState({ type: 'PAUSED', ...details({ pause_timeout: at(-1) }) }), { type: 'RUNNING' }, 'REJECT', 'Failed'],
  ['a run waits for its time', inState({ type: 'SCHEDULED', ...details({ scheduled_time: at(9) }) }), { type: 'RUNNING' }, 'WAIT', null],
  ['also when it is taken early', inState({ type: 'PENDING', ...details({ scheduled_time: at(9) }) }), { type: 'RUNNING' }, 'WAIT', null],
  ['and runs then', inState({ type: 'SCHEDULED', ...details({ scheduled_time: at(0) }) }), { type: 'RUNNING' }, 'ACCEPT', 'Running'],
  ['a failure is retried', inState({ type: 'RUNNING' }, retried(1, 1)), { type: 'FAILED' }, 'REJECT', 'AwaitingRetry'],
  ['so often and no more', inState({ type: 'RUNNING' }, retried(2, 1)), { type: 'FAILED' }, 'ACCEPT', 'Failed'],
  ['not without retries', inState({ type: 'RUNNING' }, retried(1, null)), { type: 'FAILED' }, 'ACCEPT', 'Failed'],
  ['a crash is no failure', inState({ type: 'RUNNING' }, retried(1, 1)), { type: 'CRASHED' }, 'ACCEPT', 'Crashed'],
]

describe('the rules', () => {
  it.each(ROWS)('%s', (_what, run, proposal, status, becomes) => {
    const { result, after } = propose(run, proposal)
    expect([result.status, after?.state_name ?? null]).toEqual([status, becomes])
  })

  it('say how long to wait, never too short', () => {
    const due = formatTimestamp(seconds(1.2))
    const run = inState({ type: 'SCHEDULED', ...details({ scheduled_time: due }) })
    const { result } = propose(run, { type: 'RUNNING' })
    expect(result.details).toMatchObject({ delay_seconds: 2 })
  })

  it('let a retry stay with its process, with what it was told', () => {
    const run = inState({ type: 'RUNNING' }, retried(1, 1))
    const { after } = propose(run, { type: 'FAILED', message: 'why', data: { a: 1 } })
    expect(after).toMatchObject({
      next_scheduled_start_time: at(10),
      empirical_policy: { retry_type: 'in_process', resuming: false, pause_keys: [] },
      states: [{}, { name: 'AwaitingRetry', message: 'why', data: { a: 1 } }],
    })
  })

  it('ask for a slot when somebody takes a run, and not when it goes on', () => {
    const slot = { free: false as const, strategy: 'ENQUEUE' as const, rule: 'full' }
    const waits = propose(inState({ type: 'SCHEDULED' }), { type: 'PENDING' }, { slot })
    expect(waits.after).toMatchObject({ state_name: 'AwaitingConcurrencySlot' })
    expect(waits.after?.next_scheduled_start_time).toBe(at(30))
    const submits = { type: 'PENDING' as const, name: 'Submitting' }
    expect(propose(inState({ type: 'PENDING' }), submits, { slot }).result.status).toBe('ACCEPT')
    const forced = { slot, force: true }
    expect(propose(inState({ type: 'SCHEDULED' }), { type: 'PENDING' }, forced).result.status).toBe(
      'ACCEPT',
    )
  })

  it('tell one pause from another by its key', () => {
    const run = inState({ type: 'RUNNING' })
    const pause: StateCreate = { type: 'PAUSED', ...details({ pause_key: '1' }) }
    const paused = propose(run, pause).after
    const resumed = paused === null ? null : propose(paused, { type: 'RUNNING' }).after
    expect(resumed?.empirical_policy.pause_keys).toEqual(['1'])
    const again = propose(resumed ?? run, pause)
    expect(again.result.details).toMatchObject({ reason: 'This pause has already fired.' })
    expect(propose(resumed ?? run, { type: 'PAUSED' }).after?.empirical_policy.pause_keys).toEqual([
      '1',
      KEY,
    ])
  })
})

import { MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { Json } from '#core/wire/common.ts'
import type { OrchestrationResult, State, StateType } from '#core/wire/state.ts'
import type { ProposedState } from './flow-run.ts'

/** What becomes of a proposal. `state: null` with `reject` keeps the current state. */
export type Verdict =
  | { kind: 'accept' }
  | { kind: 'reject'; state: ProposedState | null; reason: string }
  | { kind: 'wait'; delaySeconds: number; reason: string }
  | { kind: 'abort'; reason: string }

export interface Transition<Run> {
  run: Run
  from: State | null
  to: ProposedState
  now: Micros
}

/** One rule: which transitions it looks at, and its say. `undefined` lets the proposal pass, possibly changed in `run` or `to`. */
export interface Rule<Run, Facts> {
  name: string
  from: readonly (StateType | null)[] | 'any'
  to: readonly StateType[] | 'any'
  judge: (
    transition: Transition<Run>,
    facts: Facts,
  ) => Verdict | { kind: 'continue'; run?: Run; to?: ProposedState } | undefined
}

export interface Judgement<Run> {
  verdict: Verdict
  /** The run with what the rules changed of it (its policy, say); to be kept only when a state is written. */
  run: Run
  /** The proposal with what the rules added to it. */
  to: ProposedState
}

/**
 * Puts a proposal before an ordered list of rules, as Prefect's orchestration does (contract 3.1): the first rule that
 * does not let it pass decides.
 */
export function judge<Run, Facts>(
  rules: readonly Rule<Run, Facts>[],
  proposal: Transition<Run>,
  facts: Facts,
): Judgement<Run> {
  let { run, to } = proposal
  const fromType = proposal.from?.type ?? null
  for (const rule of rules) {
    const concerns =
      (rule.from === 'any' || rule.from.includes(fromType)) &&
      (rule.to === 'any' || rule.to.includes(proposal.to.type))
    const answer = concerns ? rule.judge({ ...proposal, run, to }, facts) : undefined
    if (answer === undefined) {
      continue
    }
    if (answer.kind !== 'continue') {
      return { verdict: answer, run, to }
    }
    run = answer.run ?? run
    to = answer.to ?? to
  }
  return { verdict: { kind: 'accept' }, run, to }
}

/** The answer of the API to a proposal; `state` is the written state, or the current one when none was written. */
export function orchestrationResult(verdict: Verdict, state: State | null): OrchestrationResult {
  switch (verdict.kind) {
    case 'accept':
      return { state, status: 'ACCEPT', details: { type: 'accept_details' } }
    case 'reject':
      return {
        state,
        status: 'REJECT',
        details: { type: 'reject_details', reason: verdict.reason },
      }
    case 'wait':
      return {
        state,
        status: 'WAIT',
        details: {
          type: 'wait_details',
          delay_seconds: verdict.delaySeconds,
          reason: verdict.reason,
        },
      }
    default:
      return { state, status: 'ABORT', details: { type: 'abort_details', reason: verdict.reason } }
  }
}

/** Prefect's WaitForScheduledTime: what is not yet due does not run. */
export function waitUntilDue(from: State | null, now: Micros): Verdict | undefined {
  const due = from?.state_details.scheduled_time
  const wait = due ? ((parseTimestamp(due) ?? now) - now) / MICROS_PER_SECOND : 0
  // Whole seconds, as in Prefect; but rounded up, since rounding half a second down starts a run early.
  return wait > 0
    ? { kind: 'wait', delaySeconds: Math.ceil(wait), reason: 'Scheduled time is in the future' }
    : undefined
}

/** A result that stands in some storage, and would be lost with the state. */
export function isPersisted(data: Json | null): boolean {
  return (
    data !== null &&
    typeof data === 'object' &&
    !Array.isArray(data) &&
    data['type'] !== 'unpersisted'
  )
}

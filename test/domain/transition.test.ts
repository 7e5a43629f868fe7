import { describe, expect, it } from 'vitest'
import type { State } from '#core/wire/state.ts'
import { proposedState } from '#domain/flow-run.ts'
import { judge, orchestrationResult, type Rule, type Verdict } from '#domain/transition.ts'
import { NOW } from '../support/a-home-run.ts'

interface Run {
  seen: string[]
}
type TestRule = Rule<Run, { free: boolean }>

const state: State = {
  ...proposedState({ type: 'PENDING' }, NOW),
  id: 's',
  timestamp: '2026-01-01T00:00:00.000000Z',
}
const sees = (name: string, given: Partial<TestRule> = {}): TestRule => ({
  name,
  from: 'any',
  to: 'any',
  judge: ({ run }) => ({ kind: 'continue', run: { seen: [...run.seen, name] } }),
  ...given,
})
const propose = (rules: TestRule[], from: State | null = state) =>
  judge(
    rules,
    { run: { seen: [] }, from, to: proposedState({ type: 'RUNNING' }, NOW), now: NOW },
    { free: false },
  )

describe('judge', () => {
  it('accepts what no rule concerns', () => {
    expect(propose([]).verdict).toEqual({ kind: 'accept' })
    expect(propose([{ ...sees('silent'), judge: () => undefined }])).toMatchObject({
      verdict: { kind: 'accept' },
      run: { seen: [] },
      to: { type: 'RUNNING' },
    })
  })

  it('asks the rules of this transition only, in their order, each with what came before', () => {
    const rules = [
      sees('a'),
      sees('from elsewhere', { from: ['FAILED'] }),
      sees('to elsewhere', { to: ['FAILED'] }),
      sees('from here', { from: ['PENDING'], to: ['RUNNING'] }),
      sees('from nothing', { from: [null] }),
    ]
    expect(propose(rules).run.seen).toEqual(['a', 'from here'])
    expect(propose(rules, null).run.seen).toEqual(['a', 'from nothing'])
  })

  it('ends at the first verdict and keeps what the rules before it said', () => {
    const stop: Verdict = { kind: 'abort', reason: 'no' }
    const judged = propose([sees('a'), sees('b', { judge: () => stop }), sees('c')])
    expect(judged).toMatchObject({ verdict: stop, run: { seen: ['a'] } })
  })

  it('goes by the type that was proposed, and hands on a changed proposal', () => {
    const renames = sees('renames', {
      judge: ({ to }) => ({ kind: 'continue', to: { ...to, name: 'Retrying' } }),
    })
    const reads = sees('reads', {
      judge: ({ to, run }) => ({ kind: 'continue', run: { seen: [...run.seen, to.name] } }),
    })
    expect(propose([renames, reads])).toMatchObject({
      to: { type: 'RUNNING', name: 'Retrying' },
      run: { seen: ['Retrying'] },
    })
  })

  it('lets a rule ask the facts', () => {
    const asks = sees('asks', {
      judge: (_, { free }) => (free ? undefined : { kind: 'abort', reason: 'full' }),
    })
    expect(propose([asks]).verdict).toEqual({ kind: 'abort', reason: 'full' })
  })
})

describe('orchestrationResult', () => {
  it.each<[Verdict, string, object]>([
    [{ kind: 'accept' }, 'ACCEPT', { type: 'accept_details' }],
    [
      { kind: 'reject', state: null, reason: 'r' },
      'REJECT',
      { type: 'reject_details', reason: 'r' },
    ],
    [
      { kind: 'wait', delaySeconds: 3, reason: 'r' },
      'WAIT',
      { type: 'wait_details', delay_seconds: 3, reason: 'r' },
    ],
    [{ kind: 'abort', reason: 'r' }, 'ABORT', { type: 'abort_details', reason: 'r' }],
  ])('%j', (verdict, status, details) => {
    expect(orchestrationResult(verdict, state)).toEqual({ state, status, details })
    expect(orchestrationResult(verdict, null).state).toBeNull()
  })
})

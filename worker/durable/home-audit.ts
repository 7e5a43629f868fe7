import type { SetState } from '#core/wire/state.ts'
import { audited, isIntervention } from '#domain/audit.ts'
import type { HomeRun } from '#domain/execution.ts'
import { currentState, isTerminalType, type FlowRunRecord } from '#domain/flow-run.ts'
import type { AskedBy } from '../operations/object-context.ts'
import type { Home, Proposer } from './home.ts'

// What the audit log tells of runs: what people and programs do to them, not what runs do.

/** Records the state that a proposal has led to, if it was somebody's intervention. */
export function recordIntervention(
  home: Home,
  before: HomeRun,
  request: SetState,
  proposer: Proposer,
  asked: AskedBy | null,
): void {
  if (isIntervention(proposer.kind, request, isTerminalType(before.record.state_type))) {
    recordState(home, before, asked)
  }
}

/** Records the state that somebody has set, if it was written. */
export function recordState(home: Home, before: HomeRun, asked: AskedBy | null): void {
  const after = asked === null ? undefined : home.store.find(before.record.id)
  if (after !== undefined && currentState(after.record)?.id !== currentState(before.record)?.id) {
    home.audit.add(asked, audited('flow_run', told(before.record), told(after.record)))
  }
}

/** Records that somebody deletes a run. */
export function recordRemoval(home: Home, run: HomeRun, asked: AskedBy | null): void {
  const { flow_id, deployment_id, created } = run.record
  home.audit.add(
    asked,
    audited('flow_run', { ...told(run.record), flow_id, deployment_id, made: created }, null),
  )
}

function told(record: FlowRunRecord) {
  const { id, name, state_type, state_name } = record
  return { id, name, state_type, state_name, message: currentState(record)?.message ?? null }
}

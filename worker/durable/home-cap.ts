import { parseTimestamp } from '#core/time.ts'
import { transit, type HomeRun } from '#domain/execution.ts'
import { proposedState } from '#domain/flow-run.ts'
import type { Home } from './home.ts'

/**
 * A run that has just come into line, unless as many runs of its deployment as may wait are there already: then it is cancelled.
 * @param isNew all others were there before it; else those that are before it in line, as several may have become due at once
 */
export function withinCap(home: Home, run: HomeRun, isNew: boolean): HomeRun {
  const { record } = run
  const id = record.deployment_id
  const cap = id === null ? null : (home.store.deployment(id)?.deployment.max_waiting_runs ?? null)
  const due = parseTimestamp(record.next_scheduled_start_time ?? '')
  const comes =
    record.state_type === 'SCHEDULED' &&
    record.state_name === 'Scheduled' &&
    record.run_count === 0 &&
    record.work_queue_id !== null &&
    !run.live
  if (id === null || cap === null || due === undefined || due > home.now() || !comes) {
    return run
  }
  const before = isNew ? { due: home.now(), position: 0 } : { due, position: run.position }
  if (home.store.waitingOfDeployment(id, before, cap) < cap) {
    return run
  }
  const message = `As many runs of the deployment wait as may: ${cap} (max_waiting_runs).`
  const moment = home.moment()
  return transit(run, proposedState({ type: 'CANCELLED', message }, moment.now), moment)
}

import type { Micros } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import { DomainError } from '#domain/errors.ts'
import type { ProposedState } from '#domain/flow-run.ts'
import { NO_FACTS, taskPolicy, type TaskRunFacts } from '#domain/task-run-rules.ts'
import type { TaskRunRecord } from '#domain/task-run.ts'
import { briefly } from '#storage/briefly.ts'
import { findCachedState } from '#storage/task-caches.ts'
import type { Workspace } from '#storage/workspace.ts'
import { readFlowRun } from './read-flow-run.ts'
import { acquireTagSlots, releaseTagSlots } from './tag-limits.ts'

/**
 * What the rules must know to judge a task run that wants to run; of other proposals nothing need be known. Slots of its tags
 * are taken beforehand: `releaseUnused` gives them back when it does not come to run.
 */
export async function gatherTaskRunFacts(
  workspace: Workspace,
  run: TaskRunRecord,
  to: ProposedState,
  force: boolean,
  now: Micros,
): Promise<TaskRunFacts> {
  if (to.type !== 'RUNNING' || taskPolicy(to, force).length === 0) {
    return NO_FACTS
  }
  const { cache_key, refresh_cache } = to.state_details
  const [flowRun, cached, slots] = await Promise.all([
    run.flow_run_id === null ? null : findFlowRun(workspace, run.flow_run_id, now),
    cache_key && refresh_cache !== true ? cachedState(workspace, cache_key, now) : null,
    // Deferred ones take none, as in Prefect; one that runs has what it needs.
    run.tags.length === 0 || run.state_type === 'RUNNING' || to.state_details.deferred === true
      ? NO_FACTS.slots
      : acquireTagSlots(workspace, run.tags, run.id, now),
  ])
  return { flowRun, cached: cached ?? null, slots }
}

/** Gives back the slots of a task run that holds none by the state in which it now is. */
export async function releaseSlotsOf(
  workspace: Workspace,
  run: TaskRunRecord,
  now: Micros,
): Promise<void> {
  const holds = run.state_type === 'RUNNING' || run.state_type === 'CANCELLING'
  if (run.tags.length > 0 && (run.deleted || !holds)) {
    await releaseTagSlots(workspace, run.tags, run.id, now)
  }
}

/** With the store away nothing is known to be cached, and the task computes it. */
async function cachedState(workspace: Workspace, key: string, now: Micros) {
  return await briefly(workspace, findCachedState(workspace, key, now)).catch(() => null)
}

async function findFlowRun(workspace: Workspace, id: string, now: Micros): Promise<FlowRun | null> {
  try {
    return await readFlowRun(workspace, id, now)
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') {
      return null
    }
    throw error
  }
}

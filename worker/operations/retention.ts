import { formatTimestamp, MICROS_PER_DAY, type Micros } from '#core/time.ts'
import { daysAgo, firstIdOf } from '#domain/retention.ts'
import { dayBefore } from '#domain/usage.ts'
import { releaseIdempotencyKeys } from '#storage/idempotency-keys.ts'
import {
  deleteExpiredCaches,
  deleteLoneTaskRuns,
  deleteRemainsOf,
  holdsFlowRuns,
  listOldFlowRuns,
} from '#storage/retention.ts'
import { deleteOldAuditEntries } from '#storage/audit.ts'
import { deleteOldDays, readStanding } from '#storage/usage.ts'
import type { Workspace } from '#storage/workspace.ts'
import { atHomes } from './change-flow-runs.ts'
import { objectContext } from './object-context.ts'
import { logShardsOf } from './stubs.ts'

/** What is left of one look for what has been kept long enough. */
export interface RetentionRest {
  phase: 'flow_runs' | 'task_runs' | 'rest'
  /** What ended before that goes. */
  ended_before: Micros
  /** Up to which id runs have been looked at. */
  after: string
  /** Being deleted: written down before, so that what hangs on them goes whatever dies meanwhile. */
  runs: { id: string; flow_id: string; idempotency_key: string | null }[]
}

/** How many runs a step looks at, and how many rows it deletes: a second's work. */
const STEP_RUNS = 100
const STEP_ROWS = 500
/** Beyond the longest year that anybody compares with. */
const USAGE_DAYS = 400

/**
 * One step of the look for what has been kept long enough; repeating it is harmless. Events and log lines have their own, in the
 * objects that keep them.
 * @returns what is left; null: that was all. `isEmpty`: the workspace has no run at all
 */
export async function retain(
  workspace: Workspace,
  left: RetentionRest | null,
  now: Micros,
): Promise<{ left: RetentionRest | null; isEmpty: boolean }> {
  const rest = left ?? (await begin(workspace, now))
  switch (rest.phase) {
    case 'flow_runs':
      return { left: await retainFlowRuns(workspace, rest), isEmpty: false }
    case 'task_runs': {
      const endedBefore = formatTimestamp(rest.ended_before)
      const more = await deleteLoneTaskRuns(workspace, endedBefore, STEP_ROWS)
      return { left: more ? rest : { ...rest, phase: 'rest' }, isEmpty: false }
    }
    default: {
      const { limits } = await readStanding(workspace, now)
      const auditedBefore = now - limits.audit_days * MICROS_PER_DAY
      const audited = await Promise.all([
        deleteOldAuditEntries(workspace.database, workspace.id, auditedBefore, STEP_ROWS),
        // What is about no workspace of the account, by whichever of them looks first.
        deleteOldAuditEntries(
          workspace.bindings.DB,
          workspace.account_id,
          auditedBefore,
          STEP_ROWS,
        ),
      ])
      const expired = await deleteExpiredCaches(workspace, formatTimestamp(now), STEP_ROWS)
      const more = expired || Math.max(...audited) >= STEP_ROWS
      await deleteOldDays(workspace, dayBefore(now, USAGE_DAYS))
      return { left: more ? rest : null, isEmpty: !more && !(await holdsFlowRuns(workspace)) }
    }
  }
}

async function begin(workspace: Workspace, now: Micros): Promise<RetentionRest> {
  const { limits } = await readStanding(workspace, now)
  const before = daysAgo(limits.flow_run_days, now)
  return {
    phase: before === null ? 'rest' : 'flow_runs',
    ended_before: before ?? 0,
    after: '',
    runs: [],
  }
}

async function retainFlowRuns(workspace: Workspace, rest: RetentionRest): Promise<RetentionRest> {
  const endedBefore = formatTimestamp(rest.ended_before)
  if (rest.runs.length > 0) {
    const isMore = await deleteRuns(workspace, rest.runs, endedBefore)
    return isMore ? rest : { ...rest, runs: [] }
  }
  const ids = { after: rest.after, before: firstIdOf(rest.ended_before) }
  const old = await listOldFlowRuns(workspace, ids, endedBefore, STEP_RUNS)
  const last = old.at(-1)
  if (last === undefined) {
    return { ...rest, phase: 'task_runs' }
  }
  const runs = old.filter(({ goes }) => goes).map(({ goes: _goes, ...run }) => run)
  return { ...rest, after: last.id, runs }
}

/** First the runs, so that none is seen without what hangs on it; then all that does. @returns whether there is more of it */
async function deleteRuns(
  workspace: Workspace,
  runs: RetentionRest['runs'],
  endedBefore: string,
): Promise<boolean> {
  const ids = runs.map(({ id }) => id)
  // Of all that are gone, since an interrupted step may have deleted some already.
  const gone = new Set(
    await atHomes(workspace, ids, ({ stub, context }, own) =>
      stub.forgetFlowRuns(context, own, endedBefore),
    ),
  )
  const context = objectContext(workspace)
  const goneIds = [...gone]
  await Promise.all(
    logShardsOf(workspace, goneIds).map((shard) => shard.deleteFlowRuns(context, goneIds)),
  )
  if (await deleteRemainsOf(workspace, goneIds, STEP_ROWS)) {
    return true
  }
  const held = runs.flatMap(({ id, flow_id, idempotency_key: key }) =>
    key !== null && gone.has(id) ? [{ flow_id, key }] : [],
  )
  await releaseIdempotencyKeys(workspace, held)
  return false
}

import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { endOfRun } from '#domain/execution.ts'
import { findFlowRun } from '#storage/flow-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { findFlowRunHome } from './flow-run-home.ts'
import type { RunClaims } from './run-token.ts'

/** For the last logs and events, a token outlives its execution by this. */
const GRACE_MICROS = 600 * MICROS_PER_SECOND
/** An entry is under 200 bytes. */
const MAX_KNOWN = 50_000

/** By token: until when it serves at least, and whether that is the end of it. */
const known = new Map<string, { until: Micros; ended: boolean }>()

/**
 * Whether the execution that a token fences goes on, or was over less than the grace ago. An execution that lives now gives its
 * token the whole grace at least, so that its home is asked once in ten minutes and never in the first ten.
 */
export async function outlivesExecution(
  workspace: Workspace,
  claims: RunClaims,
  now: Micros,
): Promise<boolean> {
  if (now < claims.issued * MICROS_PER_SECOND + GRACE_MICROS) {
    return true
  }
  const name = `${workspace.id}:${claims.flow_run_id}.${claims.fence}`
  const last = known.get(name)
  if (last !== undefined && (last.ended || now < last.until)) {
    return now < last.until
  }
  const end = await readEnd(workspace, claims, now)
  const until = (end === 'live' ? now : end) + GRACE_MICROS
  remember(name, { until, ended: end !== 'live' })
  return now < until
}

async function readEnd(
  workspace: Workspace,
  { flow_run_id: id, fence }: RunClaims,
  now: Micros,
): Promise<Micros | 'live'> {
  const home = await findFlowRunHome(workspace, id)
  if (home === undefined) {
    return 0
  }
  const atHome = await home.stub.executionEnd(home.context, id, fence)
  if (atHome !== null) {
    return atHome
  }
  const run = await findFlowRun(workspace, id, now)
  return run === undefined ? 0 : endOfRun(run)
}

function remember(name: string, entry: { until: Micros; ended: boolean }): void {
  known.delete(name)
  if (known.size >= MAX_KNOWN) {
    const oldest = known.keys().next()
    if (oldest.done !== true) {
      known.delete(oldest.value)
    }
  }
  known.set(name, entry)
}

import { homeKeyOf } from '#core/flow-run-id.ts'
import type { Finding } from '#core/wire/diagnostics.ts'
import { MICROS_PER_SECOND, parseTimestamp } from '#core/time.ts'
import { isTerminalType } from '#domain/flow-run.ts'
import type { Lease } from '#domain/concurrency.ts'
import { findHome } from '#storage/homes.ts'
import { readEndTimes } from '#storage/versions.ts'
import type { Workspace } from '#storage/workspace.ts'
import { homeContext } from './configure-home.ts'
import { concurrencyLimitsStub, homeStub } from './stubs.ts'

/** Whoever ends lets go of its slots by then, by itself. */
const ENDED_MICROS = 60 * MICROS_PER_SECOND
/** A task run is told of by events, which may come later than its lease. */
const UNKNOWN_MICROS = 600 * MICROS_PER_SECOND

type Held = Lease & { holder: NonNullable<Lease['holder']> }

/** Looks for slots whose holders are over. */
export async function diagnoseLimits(
  workspace: Workspace,
  repair: boolean,
): Promise<{ checked: number; findings: Finding[] }> {
  const limits = concurrencyLimitsStub(workspace)
  const now = Date.now() * 1000
  const leases = await limits.leases(now)
  const ends = {
    flow_run: await endsOf(workspace, 'flow_run', leases),
    task_run: await endsOf(workspace, 'task_run', leases),
  }
  const findings: Finding[] = []
  for (const lease of leases.filter(isHeldByRun)) {
    const { type, id } = lease.holder
    const end = type === 'deployment' ? null : ends[type].get(id)
    const isOver = typeof end === 'string' && now - (parseTimestamp(end) ?? now) > ENDED_MICROS
    const isUnknown = end === undefined && now - lease.created > UNKNOWN_MICROS
    // The store may be behind, or restored: the home knows whether it goes on.
    // oxlint-disable-next-line no-await-in-loop
    const isSuspect =
      (isOver || isUnknown) && !(type === 'flow_run' && (await isOpen(workspace, id)))
    if (isSuspect) {
      if (repair && isOver) {
        // oxlint-disable-next-line no-await-in-loop
        await limits.release(lease.id, now)
      }
      findings.push(toFinding(lease, isOver, repair && isOver))
    }
  }
  return { checked: leases.length, findings }
}

function isHeldByRun(lease: Lease): lease is Held {
  return lease.holder !== null && lease.holder.type !== 'deployment'
}

async function endsOf(
  workspace: Workspace,
  type: 'flow_run' | 'task_run',
  leases: readonly Lease[],
): Promise<Map<string, string | null>> {
  const ids = leases.flatMap(({ holder }) => (holder?.type === type ? [holder.id] : []))
  return ids.length === 0 ? new Map() : await readEndTimes(workspace, type, ids)
}

async function isOpen(workspace: Workspace, id: string): Promise<boolean> {
  const key = homeKeyOf(id)
  if ((await findHome(workspace, key)) === undefined) {
    return false
  }
  const run = await homeStub(workspace, key).readFlowRun(homeContext(workspace, key), id)
  return run !== null && run !== 'deleted' && !isTerminalType(run.state_type)
}

function toFinding(lease: Held, isOver: boolean, repaired: boolean): Finding {
  const { type, id } = lease.holder
  const limits = Object.keys(lease.slots).join(', ')
  return {
    kind: isOver ? 'lease_of_ended' : 'lease_of_unknown',
    object: 'concurrency limits',
    id: lease.id,
    home: `held by ${type} ${id} (limits ${limits})`,
    store: isOver ? 'over' : 'not there',
    repaired,
    what_to_do: isOver
      ? 'Repair frees the slots.'
      : `Nobody knows this ${type}. If it really is over, free its slots: POST /v2/concurrency_limits/decrement-with-lease {"lease_id": "${lease.id}"}.`,
  }
}

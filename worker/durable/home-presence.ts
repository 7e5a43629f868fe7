import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { AgentIdentity } from '#core/wire/execution.ts'
import { IDLE_RENEW_SECONDS } from '#domain/execution.ts'
import { recordQueuesPolled } from '#storage/work-queues.ts'
import { recordHeartbeat } from '#storage/workers.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { Home } from './home.ts'
import { report } from './report.ts'

/** How often agents' heartbeats and queues' polls are noted in the store. */
const PRESENCE_MICROS = 30 * MICROS_PER_SECOND

/** An agent is a worker to everybody else: its heartbeat stands in the store, written now and then. */
export function notePresence(home: Home, agent: AgentIdentity, queues: string[] | null): void {
  const poolId = home.store.workPool()?.pool.id
  if (poolId !== undefined && isTime(home, `agent ${agent.agent_id}`)) {
    noteInStore(home, (workspace, now) =>
      recordHeartbeat(
        workspace,
        poolId,
        { name: agent.name, heartbeat_interval_seconds: IDLE_RENEW_SECONDS },
        now,
      ),
    )
  }
  notePolled(home, queues)
}

export function notePolled(home: Home, queues: string[] | null): void {
  const ids = queues ?? (home.store.workPool()?.queues ?? []).map((queue) => queue.id)
  home.readiness.seen(ids)
  const due = ids.filter((id) => isTime(home, `queue ${id}`))
  if (due.length > 0) {
    noteInStore(home, (workspace, now) => recordQueuesPolled(workspace, due, now))
  }
}

function isTime(home: Home, key: string): boolean {
  const now = home.now()
  if (now - (home.presence.get(key) ?? 0) < PRESENCE_MICROS) {
    return false
  }
  home.presence.set(key, now)
  return true
}

function noteInStore(
  home: Home,
  write: (workspace: Workspace, now: Micros) => Promise<void>,
): void {
  home.state.waitUntil(
    write(home.workspace(), home.now()).catch((error: unknown) => {
      // Only what is shown of agents and queues grows old; the next heartbeat writes it again.
      report('presence could not be noted', error)
    }),
  )
}

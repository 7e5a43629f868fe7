import { parseTimestamp } from '#core/time.ts'
import type { ScheduledFlowRunsQuery, WorkerFlowRun } from '#core/wire/work-queue.ts'
import { pullChanges, queueIds } from './home-config.ts'
import { judgeMissed } from './home-timers.ts'
import type { Home } from './home.ts'

/** The runs that Prefect's worker may propose `Pending` for, under the limits as they are now. No lease is taken. */
export async function scheduledFlowRuns(
  home: Home,
  query: ScheduledFlowRunsQuery,
): Promise<WorkerFlowRun[] | { unknown_queue: string }> {
  await pullChanges(home)
  const only = queueIds(home, query.work_queue_names?.length === 0 ? null : query.work_queue_names)
  if (typeof only === 'string') {
    return { unknown_queue: only }
  }
  judgeMissed(home)
  const now = home.now()
  const view = home.store.admissionView(now)
  if (view.pool.paused) {
    return []
  }
  // Who names no time is shown all that is to come, as in Prefect.
  const before = parseTimestamp(query.scheduled_before ?? '') ?? Number.MAX_SAFE_INTEGER
  const after = query.scheduled_after ? (parseTimestamp(query.scheduled_after) ?? 0) : 0
  const wanted = Math.min(query.limit ?? 200, 200, room(view.pool.limit, view.pool.live))
  const runs = view.queues
    .filter((queue) => !queue.paused && (only === null || only.includes(queue.id)))
    .toSorted((a, b) => a.priority - b.priority)
    .flatMap((queue) =>
      home.store.claimable(queue.id, after, before, Math.min(200, room(queue.limit, queue.live))),
    )
    .slice(0, wanted)
  home.presence.polled(only)
  return runs.map((run) => ({
    work_pool_id: run.record.work_pool_id ?? '',
    work_queue_id: run.record.work_queue_id ?? '',
    flow_run: home.toWire(run),
  }))
}

/** As many runs as a worker is shown at once, as in Prefect; fewer where a limit leaves less room. */
function room(limit: number | null, live: number): number {
  return limit === null ? 200 : Math.max(0, limit - live)
}

import { MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { Deployment } from '#core/wire/deployment.ts'
import type { WorkPool } from '#core/wire/work-pool.ts'
import type { WorkQueue, WorkQueueHealth } from '#core/wire/work-queue.ts'
import type { Worker } from '#core/wire/worker.ts'

/** A worker that names no interval is taken to send a heartbeat every 30 s, as Prefect's does. */
export const DEFAULT_HEARTBEAT_SECONDS = 30
/** Heartbeats that a worker may miss until it counts as offline, as in Prefect. */
export const MISSED_HEARTBEATS = 3
/** A queue or deployment that nobody has asked for runs for this long is not ready; Prefect's number. */
const POLLED_WITHIN_SECONDS = 60
/** Rows written are the bill, so a poll is written down only when the last one that was is this old. */
export const NOTED_EVERY_SECONDS = 45

/** A pool is ready when a worker serves it. Pools of Prefect's retired agents have no status. */
export function workPoolStatus(
  pool: { type: string; is_paused: boolean },
  hasOnlineWorker: boolean,
): WorkPool['status'] {
  if (pool.type === 'prefect-agent') {
    return null
  }
  if (pool.is_paused) {
    return 'PAUSED'
  }
  return hasOnlineWorker ? 'READY' : 'NOT_READY'
}

/** A queue is ready when it was polled within the last minute; a poll that is written down stands for those after it. */
export function workQueueStatus(
  queue: { is_paused: boolean; last_polled: string | null },
  now: Micros,
): WorkQueue['status'] {
  if (queue.is_paused) {
    return 'PAUSED'
  }
  return wasPolled(queue.last_polled, now) ? 'READY' : 'NOT_READY'
}

/** A queue is healthy when none of its runs is late and it was polled within the last minute. */
export function workQueueHealthOf(
  lateRuns: number,
  lastPolled: string | null,
  now: Micros,
): WorkQueueHealth {
  return {
    healthy: lateRuns === 0 && wasPolled(lastPolled, now),
    late_runs_count: lateRuns,
    last_polled: lastPolled,
    health_check_policy: {
      maximum_late_runs: 0,
      maximum_seconds_since_last_polled: POLLED_WITHIN_SECONDS,
    },
  }
}

/** A deployment is ready when it, or the queue that its runs go to, was polled within the last minute. */
export function deploymentStatus(
  polled: { deployment: string | null; queue: string | null },
  now: Micros,
): Deployment['status'] {
  return wasPolled(polled.deployment, now) || wasPolled(polled.queue, now) ? 'READY' : 'NOT_READY'
}

/** A worker is online until it has missed three heartbeats. */
export function workerStatus(
  worker: { last_heartbeat_time: string; heartbeat_interval_seconds: number | null },
  now: Micros,
): Worker['status'] {
  const seconds =
    (worker.heartbeat_interval_seconds ?? DEFAULT_HEARTBEAT_SECONDS) * MISSED_HEARTBEATS
  return isWithin(worker.last_heartbeat_time, seconds, now) ? 'ONLINE' : 'OFFLINE'
}

function wasPolled(time: string | null, now: Micros): boolean {
  return time !== null && isWithin(time, POLLED_WITHIN_SECONDS + NOTED_EVERY_SECONDS, now)
}

function isWithin(time: string, seconds: number, now: Micros): boolean {
  const at = parseTimestamp(time)
  return at !== undefined && at >= now - seconds * MICROS_PER_SECOND
}

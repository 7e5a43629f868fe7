import { expect, test } from 'vitest'
import { formatTimestamp, parseTimestamp } from '#core/time.ts'
import {
  deploymentStatus,
  workerStatus,
  workPoolStatus,
  workQueueStatus,
} from '#domain/readiness.ts'

const now = parseTimestamp('2026-03-01T12:00:00Z') ?? 0
const ago = (seconds: number): string => formatTimestamp(now - seconds * 1_000_000)

test.for([
  [{ type: 'process', is_paused: true }, true, 'PAUSED'],
  [{ type: 'process', is_paused: false }, true, 'READY'],
  [{ type: 'process', is_paused: false }, false, 'NOT_READY'],
  [{ type: 'prefect-agent', is_paused: false }, true, null],
] as const)('a pool %j with workers online: %s is %s', ([pool, online, status]) => {
  expect(workPoolStatus(pool, online)).toBe(status)
})

test.for([
  [{ is_paused: true, last_polled: ago(1) }, 'PAUSED'],
  [{ is_paused: false, last_polled: ago(105) }, 'READY'],
  [{ is_paused: false, last_polled: ago(105.000001) }, 'NOT_READY'],
  [{ is_paused: false, last_polled: null }, 'NOT_READY'],
] as const)('a queue %j is %s', ([queue, status]) => {
  expect(workQueueStatus(queue, now)).toBe(status)
})

test.for([
  [null, null, 'NOT_READY'],
  [ago(10), null, 'READY'],
  [null, ago(10), 'READY'],
  [ago(110), ago(106), 'NOT_READY'],
] as const)('a deployment polled %s, its queue %s, is %s', ([deployment, queue, status]) => {
  expect(deploymentStatus({ deployment, queue }, now)).toBe(status)
})

test.for([
  [90, null, 'ONLINE'],
  [91, null, 'OFFLINE'],
  [15, 5, 'ONLINE'],
  [16, 5, 'OFFLINE'],
] as const)(
  'a worker heard of %i s ago that beats every %s s is %s',
  ([seconds, interval, status]) => {
    const worker = { last_heartbeat_time: ago(seconds), heartbeat_interval_seconds: interval }
    expect(workerStatus(worker, now)).toBe(status)
  },
)

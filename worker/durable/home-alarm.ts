import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { LEASE_SECONDS, settled } from '#domain/execution.ts'
import { graceMicros, renewSlot, slotLeaseTimer } from '#domain/slot-lease.ts'
import { expand } from './home-config.ts'
import { settleChanges } from './home-moves.ts'
import { deliverMessages } from './home-outbox.ts'
import { ringTimers } from './home-timers.ts'
import type { Home } from './home.ts'
import { report } from '../operations/report.ts'

/** How long a lease must have been over, unnoticed, for that to count as an outage of the control plane itself. */
const OUTAGE_MICROS = 20 * MICROS_PER_SECOND

/** As many runs as the alarm looks at in one go. */
const TIMER_BATCH = 500

/**
 * Does all that is due. Never throws: an alarm that fails too often is given up by the platform. Never waits either: leases and
 * schedules go on while the store or another object hangs.
 */
export function onAlarm(home: Home): void {
  home.disarmed()
  try {
    const now = home.now()
    extendAfterOutage(home, now)
    ringTimers(home, home.store.withTimerUntil(now, TIMER_BATCH), now)
    for (const id of home.store.schedulesDue(now)) {
      expand(home, id)
    }
    home.ring()
    home.state.waitUntil(carryOut(home))
  } catch (error) {
    report('alarm failed', error, { object: home.name })
  }
  home.arm()
}

async function carryOut(home: Home): Promise<void> {
  await Promise.all([
    home.flusher.onAlarm(),
    home.events.onAlarm(),
    home.readiness.onAlarm(),
    home.audit.onAlarm(),
    deliverMessages(home),
    settleChanges(home),
  ])
  home.arm()
}

/**
 * After an outage of the control plane every holder gets one full lease: agents could not renew. A lease that ran out
 * long before this alarm tells of one, since the alarm stands at the earliest lease.
 */
function extendAfterOutage(home: Home, now: Micros): void {
  const due = home.store.liveWithTimerUntil(now)
  const leases = due.filter(
    (run) => run.live && !run.lost && run.lease_until !== null && run.lease_until <= now,
  )
  const slots = due.filter((run) => (slotLeaseTimer(run) ?? Infinity) <= now)
  const longest = Math.max(
    ...leases.map((run) => now - (run.lease_until ?? now)),
    ...slots.map((run) => now - (slotLeaseTimer(run) ?? now)),
  )
  if (longest < OUTAGE_MICROS) {
    return
  }
  const lease = now + LEASE_SECONDS * MICROS_PER_SECOND
  for (const run of leases) {
    home.store.save(settled({ ...run, lease_until: lease }, now), now)
  }
  for (const run of slots) {
    const renewed = renewSlot(run, run.slot_lease?.id ?? '', now + graceMicros(null))
    if (renewed !== undefined) {
      home.store.save(settled(renewed, now), now)
    }
  }
}

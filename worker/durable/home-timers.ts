import type { Micros } from '#core/time.ts'
import { admitDeployment } from '#domain/admission.ts'
import { missRun, onTimer, type HomeRun } from '#domain/execution.ts'
import { isTerminalType } from '#domain/flow-run.ts'
import { supersededRuns } from '#domain/missed-runs.ts'
import { comesIntoLine } from '#domain/run-timers.ts'
import { withinCap } from './home-cap.ts'
import type { Home } from './home.ts'

/** Lets the timers of runs ring. */
export function ringTimers(home: Home, runs: readonly HomeRun[], now: Micros): void {
  for (const run of runs.filter(({ live }) => live)) {
    ringTimer(home, run)
  }
  // Older dates make way, also those that have just come back, before anybody counts them as waiting.
  const waiting = runs.filter(({ live }) => !live)
  const arrived = waiting.filter(({ missed }) => missed?.last === true)
  for (const id of new Set(arrived.map(({ record }) => record.deployment_id ?? ''))) {
    keepNewest(home, id, now)
  }
  for (const run of waiting) {
    ringTimer(home, run.missed?.last === true ? (home.store.find(run.record.id) ?? run) : run)
  }
}

function ringTimer(home: Home, run: HomeRun): void {
  const next = rung(home, run)
  home.saveLease(run, next)
  // What is given up here, and runs on, is to be stopped at once.
  if (next.live && isTerminalType(next.record.state_type)) {
    home.callBack(next)
  }
}

/** A run that comes into line may be one too many there; what an agent gives back was in line before. */
function rung(home: Home, run: HomeRun): HomeRun {
  const next = onTimer(run, home.moment(), () => isRefused(home, run))
  if (next.record.state_type !== 'SCHEDULED' || !comesIntoLine(run)) {
    return next
  }
  const kept = withinCap(home, run, false)
  return kept === run ? next : kept
}

/** Judges what has been missed by now; before anybody takes runs, since the alarm may come a moment later. */
export function judgeMissed(home: Home): void {
  const now = home.now()
  ringTimers(home, home.store.missableUntil(now), now)
}

/** Of the waiting runs of a schedule whose rule is `last`, older dates make way for the newest that has arrived. */
export function keepNewest(home: Home, deploymentId: string, now: Micros): void {
  for (const run of supersededRuns(home.store.scheduledOfDeployment(deploymentId), now)) {
    home.save(missRun(run, 'a later date of its schedule has come', home.moment()))
  }
}

/** Its deployment takes no run that would have to wait, and is full. */
function isRefused(home: Home, { record }: HomeRun): boolean {
  const slot = admitDeployment(home.store.admissionView(home.now()), record)
  return !slot.free && slot.strategy === 'CANCEL_NEW'
}

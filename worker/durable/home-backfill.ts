import { formatTimestamp } from '#core/time.ts'
import { datesWithin, type DateWindow, type ScheduledDate } from '#domain/scheduling.ts'
import { listAutomaticDates } from '#storage/flow-runs.ts'
import { create } from './home-runs.ts'
import type { Home } from './home.ts'
import { automaticRun, takenDates } from './schedules.ts'

/** Makes the automatic runs of a deployment within a window, as far as they have never been made. */
export async function scheduleWithin(
  home: Home,
  deploymentId: string,
  window: DateWindow,
): Promise<void> {
  // Looked at first: what leaves for the store from now on is still remembered.
  const before = takenDates(home.store.automaticOfDeployment(deploymentId))
  const stored = await listAutomaticDates(home.workspace(), deploymentId, {
    from: formatTimestamp(window.start),
    to: formatTimestamp(window.end),
  })
  const now = takenDates(home.store.automaticOfDeployment(deploymentId))
  const left = new Set(
    stored.map(({ schedule_id, expected_start_time }) => `${schedule_id} ${expected_start_time}`),
  )
  const config = home.store.deployment(deploymentId)
  if (config === undefined) {
    return
  }
  const isTaken = ({ schedule, date }: ScheduledDate): boolean =>
    before.get(schedule.id)?.has(date) === true ||
    now.get(schedule.id)?.has(date) === true ||
    left.has(`${schedule.id} ${formatTimestamp(date)}`)
  const moment = { now: home.now(), homeKey: home.known().home_key }
  for (const planned of datesWithin(config.deployment.schedules, window)) {
    if (!isTaken(planned)) {
      create(home, automaticRun(config, planned, moment))
    }
  }
  home.afterChange()
  await home.flusher.flushed()
}

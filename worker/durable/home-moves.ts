import type { HomeKey } from '#core/flow-run-id.ts'
import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { readHomeDeployment } from '#storage/deployments.ts'
import { homeContext } from '../operations/configure-home.ts'
import { homeStub } from '../operations/stubs.ts'
import { expand, ownDeployment, pullChanges, takeDeployment } from './home-config.ts'
import type { Home } from './home.ts'
import type { Arrival, UsedDate } from './move-store.ts'
import { report } from '../operations/report.ts'
import { takenDates } from './schedules.ts'

/**
 * A deployment moves to another pool: its old home stops its schedules, deletes the runs of dates to come and hands over which
 * dates have had theirs; only then the new one begins. The new home asks, by a row that stands there before the change is
 * committed, so that whatever dies in between, it asks again. Waiting runs that people made stay where they are.
 */

/** What the old home hands over. */
export interface Handover {
  dates: UsedDate[]
  /** When its schedules were stopped: the new home goes on from there. */
  stopped_at: Micros
}

const FIRST_LOOK_MICROS = 2 * MICROS_PER_SECOND
const NEXT_LOOK_MICROS = 5 * MICROS_PER_SECOND
/** By then the change has long landed or failed. */
const FORGET_MICROS = 60 * MICROS_PER_SECOND

/** Notes, durably, that a deployment is about to come from another home. */
export function expectArrival(home: Home, id: string, from: HomeKey): void {
  const now = home.now()
  home.moves.addArrival(id, from, now, now + FIRST_LOOK_MICROS)
  home.arm()
}

/**
 * Lets go of a deployment; null: it is still this home's. Idempotent: asked again, it answers the same.
 * @param asked the homes that wait for this answer
 */
export async function releaseDeployment(
  home: Home,
  id: string,
  asked: HomeKey[],
): Promise<Handover | null> {
  // It may have come here only just, and not have arrived.
  await arrive(home, home.moves.arrivalsOf(id), asked)
  const config = (await readHomeDeployment(home.workspace(), id)) ?? null
  takeDeployment(home, id, config)
  home.afterChange()
  await home.flusher.flushed()
  if (ownDeployment(home, id) !== undefined) {
    return null
  }
  const now = home.now()
  const stopped_at = home.moves.departure(id) ?? now
  const taken = takenDates(home.store.automaticOfDeployment(id))
  const dates = [...taken].flatMap(([schedule_id, of]) =>
    [...of].map((date) => ({ schedule_id, date })),
  )
  const own = dates.filter(({ date }) => date > stopped_at)
  return { dates: [...own, ...home.moves.usedDates(id, stopped_at)], stopped_at }
}

/** Takes over what is on its way to here. Never throws: what fails is asked for again by the alarm. */
export async function arrive(
  home: Home,
  arrivals: Arrival[],
  asked: HomeKey[] = [],
): Promise<void> {
  const me = home.known().home_key
  for (const arrival of arrivals.filter(({ from_key }) => !asked.includes(from_key))) {
    try {
      home.moves.postponeArrival(arrival, home.now() + NEXT_LOOK_MICROS)
      // One after the other, since hardly ever there is more than one.
      // oxlint-disable-next-line no-await-in-loop
      await takeOver(home, arrival, [...asked, me])
    } catch (error) {
      report('a deployment could not be taken over', error, {
        object: home.name,
        deployment_id: arrival.deployment_id,
      })
    }
  }
}

async function takeOver(home: Home, arrival: Arrival, asked: HomeKey[]): Promise<void> {
  const { deployment_id: id, from_key: from, since } = arrival
  const workspace = home.workspace()
  const handover = await homeStub(workspace, from).releaseDeployment(
    homeContext(workspace, from),
    id,
    asked,
  )
  if (handover === null) {
    // The change that was to bring it here has not landed; or it has gone back.
    if (since <= home.now() - FORGET_MICROS) {
      home.moves.removeArrival(arrival)
    }
    return
  }
  const config = (await readHomeDeployment(workspace, id)) ?? null
  home.moves.removeArrival(arrival)
  home.moves.addUsedDates(id, handover.dates)
  takeDeployment(home, id, config)
  expand(home, id, handover.stopped_at)
  home.afterChange()
  await home.flusher.flushed()
}

/** What was announced and never came, and who was to come and has not. Never throws. */
export async function settleChanges(home: Home): Promise<void> {
  const now = home.now()
  if (home.store.hasChangeDue(now)) {
    await pullChanges(home)
    home.afterChange()
  }
  await arrive(home, home.moves.arrivalsDue(now))
}

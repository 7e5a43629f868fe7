import { dumpOf, nextAlarm, objectsOf, type Dump } from './dump.ts'
import { aFullWorkspace, type FullWorkspace } from './full-workspace.ts'

/** A workspace that nobody but the test touches, and what it has. */
export interface Watched extends FullWorkspace {
  before: Dump
  now: () => Promise<Dump>
}

/** Longer than the tests take. */
const QUIET_MS = 8 * 60 * 1000
/** Longer than what goes on without an alarm takes. */
const REST_MS = 1000

/** Makes a full workspace and waits until nothing in it moves, nor will for a while. */
export async function aWatchedWorkspace(): Promise<Watched> {
  const full = await aFullWorkspace()
  const objects = await objectsOf(full.workspace)
  const now = async () => await dumpOf(full.workspace, objects)
  let before = await now()
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
    // oxlint-disable-next-line no-await-in-loop -- the same
    const [next, alarm] = [await now(), await nextAlarm(objects)]
    if (alarm > Date.now() + QUIET_MS && JSON.stringify(next) === JSON.stringify(before)) {
      return { ...full, before, now }
    }
    before = next
  }
}

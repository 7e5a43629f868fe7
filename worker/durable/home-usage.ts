import { NOTHING } from '#domain/usage.ts'
import type { FlowRunRecord } from '#domain/flow-run.ts'
import type { Home } from './home.ts'
import { UsageTeller } from './usage-teller.ts'

/** How many runs the home has ever made, up to a position that it has given. */
interface Checkpoint {
  made: number
  position: number
}

/**
 * Counts the runs that the home makes, without a row for it: the sum stands in rows that are written anyway, the marker of what
 * may not be in the store and the runs that leave. What was made after the newest of them still lies in the home's table.
 */
export class HomeUsage {
  readonly teller: UsageTeller
  readonly #home: Home
  #made: number

  /** @param firstPosition of this life: all that were given before are smaller */
  constructor(home: Home, firstPosition: number) {
    this.#home = home
    const { note, dirty } = home.store.marker()
    const known = [note, home.departed.lastNote()]
      .filter((text) => text !== null)
      .map((text) => JSON.parse(text) as Checkpoint)
      .toSorted((a, b) => b.position - a.position)[0]
    // A home from before this was counted begins with what it makes from now on.
    const { made, position } = known ?? { made: 0, position: firstPosition }
    this.#made = made + (dirty ? home.store.madeBetween(position, firstPosition) : 0)
    this.teller = new UsageTeller({
      sql: home.state.storage.sql,
      workspace: () => home.workspace(),
      source: () => `home:${home.known().home_key}`,
      counts: () => ({ ...NOTHING, flow_runs: this.#made }),
      now: () => home.now(),
      waitUntil: (promise) => home.state.waitUntil(promise),
    })
  }

  /** In the turn in which the run is written. */
  noteMade(): void {
    this.#made += 1
  }

  /** Runs that a schedule had made are taken back by a change of it: who has not begun, costs nothing. */
  noteTakenBack(records: readonly FlowRunRecord[]): void {
    const count = records.filter(({ auto_scheduled }) => auto_scheduled).length
    if (count > 0) {
      this.#made -= count
      // What is not there any more can't be counted again after a restart.
      this.#home.store.noteUsage(this.checkpoint())
    }
  }

  /** What is to be written beside the marker, and beside runs that leave. */
  checkpoint(): string {
    const checkpoint: Checkpoint = { made: this.#made, position: this.#home.lastPosition }
    return JSON.stringify(checkpoint)
  }
}

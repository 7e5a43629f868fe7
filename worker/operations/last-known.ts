import { briefly } from '#storage/briefly.ts'
import type { Workspace } from '#storage/workspace.ts'

/** As long as a known key serves. */
const OUTAGE_MS = 15 * 60_000
/** Entries are some KB at most. */
const MAX_KNOWN = 2000

/** What the store last said in this isolate, for the minutes in which it can't be asked. */
export class LastKnown<T> {
  readonly #known = new Map<string, { value: T; read: number }>()

  /** Asks the store; with that away, answers what it said last. @throws what asking throws, when it never said anything */
  async read(
    workspace: Workspace,
    id: string,
    ask: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const known = this.find(workspace, id)
    if (known === undefined) {
      const first = await ask()
      this.note(workspace, id, first)
      return first
    }
    try {
      const value = await briefly(workspace, ask())
      this.note(workspace, id, value)
      return value
    } catch {
      return known
    }
  }

  find(workspace: Workspace, id: string): T | undefined {
    const known = this.#known.get(`${workspace.id}:${id}`)
    return known !== undefined && Date.now() - known.read < OUTAGE_MS ? known.value : undefined
  }

  note(workspace: Workspace, id: string, value: T | undefined): void {
    const key = `${workspace.id}:${id}`
    this.#known.delete(key)
    if (value === undefined) {
      return
    }
    const oldest = this.#known.keys().next()
    if (this.#known.size >= MAX_KNOWN && oldest.done !== true) {
      this.#known.delete(oldest.value)
    }
    this.#known.set(key, { value, read: Date.now() })
  }
}

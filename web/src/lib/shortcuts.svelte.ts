import { untrack } from 'svelte'
import { preferences } from './preferences.svelte.ts'

interface Shortcut {
  /** One key as `KeyboardEvent.key` has it, or two in a row: `g r`. */
  keys: string
  what: string
  run: (event: KeyboardEvent) => void
}

/** A second key counts within this time after the first. */
const SEQUENCE_MS = 1200

/** The keys that do something now: each screen adds its own while it is shown. */
class Shortcuts {
  #groups = $state.raw<{ title: string; shortcuts: Shortcut[] }[]>([])
  #first: { key: string; at: number } | undefined

  get groups(): readonly { title: string; shortcuts: Shortcut[] }[] {
    return this.#groups
  }

  /** Adds a group; answers the function that takes it away. */
  add(title: string, shortcuts: Shortcut[]): () => void {
    const group = { title, shortcuts }
    // Called in effects, which must not depend on what others add.
    this.#groups = [...untrack(() => this.#groups), group]
    return () => {
      this.#groups = untrack(() => this.#groups).filter((each) => each !== group)
    }
  }

  handle(event: KeyboardEvent): void {
    const modified = event.ctrlKey || event.metaKey || event.altKey
    if (modified || preferences.shortcuts === 'off' || takesText(event.target) || isDialogOpen()) {
      return
    }
    const now = event.timeStamp
    const sequence =
      this.#first && now - this.#first.at < SEQUENCE_MS ? `${this.#first.key} ${event.key}` : ''
    const found = this.#find(sequence) ?? this.#find(event.key)
    this.#first = { key: event.key, at: now }
    if (found) {
      event.preventDefault()
      this.#first = undefined
      found.run(event)
    }
  }

  /** Later groups are of the inner screen, and win. */
  #find(keys: string): Shortcut | undefined {
    return this.#groups
      .toReversed()
      .flatMap((group) => group.shortcuts)
      .find((shortcut) => shortcut.keys === keys)
  }
}

function takesText(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input:not([type="checkbox"]), textarea, select'))
  )
}

function isDialogOpen(): boolean {
  return document.querySelector('[role="dialog"][data-state="open"]') !== null
}

export const shortcuts = new Shortcuts()

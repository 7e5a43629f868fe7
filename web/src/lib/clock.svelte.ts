import { createSubscriber } from 'svelte/reactivity'

/** One clock for everything on screen that ticks; it stands still while nothing reads it. */
class Clock {
  #now = Date.now()
  readonly #subscribe = createSubscriber((update) => {
    const timer = setInterval(() => {
      this.#now = Date.now()
      update()
    }, 1000)
    return () => clearInterval(timer)
  })

  /** Milliseconds since the epoch, to the second. Reading it in a template or an effect makes that run every second. */
  get now(): number {
    this.#subscribe()
    this.#now = Math.max(this.#now, Date.now() - 1000)
    return this.#now
  }
}

export const clock = new Clock()

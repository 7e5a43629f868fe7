import { TimedOut } from './errors.ts'
import { linkedController } from './signals.ts'

/** The longest timer that JavaScript has, 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1

export interface BodyOptions {
  /** Whoever is to stop this code aborts it. */
  parent: AbortSignal
  timeoutSeconds: number | undefined
  /** Milliseconds that code which never looks at its signal gets to settle once it is to stop. */
  graceMs: number
  /** For the message of a timeout: `Flow run`, `Task run`. */
  what: string
}

/**
 * Runs a flow's or task's code until it settles, its time is up or it is to stop. Code that reads its signal ends by itself
 * and is waited for; other code can't be stopped from outside, so it is left behind after a short grace.
 * @throws whatever the code throws; TimedOut; the parent's reason
 */
export async function runBody<T>(
  code: (signal: AbortSignal, onSignalRead: () => void) => Promise<T>,
  { parent, timeoutSeconds, graceMs, what }: BodyOptions,
): Promise<T> {
  const { controller, unlink } = linkedController(parent)
  const timers: NodeJS.Timeout[] = []
  let readsSignal = false
  const leftBehind = Promise.withResolvers<never>()
  const leave = () => !readsSignal && leftBehind.reject(parent.reason)
  const onStop = () => timers.push(setTimeout(leave, graceMs))
  const onTimeout = () => {
    const timedOut = new TimedOut(`${what} exceeded timeout of ${timeoutSeconds} second(s)`)
    controller.abort(timedOut)
    leftBehind.reject(timedOut)
  }
  if (timeoutSeconds !== undefined) {
    timers.push(setTimeout(onTimeout, Math.min(timeoutSeconds * 1000, MAX_TIMER_MS)))
  }
  if (parent.aborted) {
    onStop()
  } else {
    parent.addEventListener('abort', onStop, { once: true })
  }
  try {
    const work = code(controller.signal, () => {
      readsSignal = true
    })
    return await Promise.race([work, leftBehind.promise])
  } finally {
    for (const timer of timers) {
      clearTimeout(timer)
    }
    parent.removeEventListener('abort', onStop)
    unlink()
  }
}

import { setMaxListeners } from 'node:events'

/** An abort controller whose signal any number of tasks may listen to. */
export function makeController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

/** A controller that aborts with its parent; `unlink` lets the parent forget it. */
export function linkedController(parent: AbortSignal): {
  controller: AbortController
  unlink: () => void
} {
  const controller = makeController()
  const follow = () => controller.abort(parent.reason)
  if (parent.aborted) {
    follow()
  } else {
    parent.addEventListener('abort', follow, { once: true })
  }
  return { controller, unlink: () => parent.removeEventListener('abort', follow) }
}

/** Settles as the promise does, or rejects with the signal's reason as soon as it aborts. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) {
      onAbort()
    } else {
      signal.addEventListener('abort', onAbort, { once: true })
    }
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

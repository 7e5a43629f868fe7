import { setTimeout as wait } from 'node:timers/promises'

/** Waits until the condition holds; fails with `what` when it does not within the time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds = 60_000,
): Promise<void> {
  const deadline = performance.now() + milliseconds
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`waited ${milliseconds} ms in vain until ${what}`)
    }
    await wait(20)
  }
}

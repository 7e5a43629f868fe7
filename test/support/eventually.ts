import { vi } from 'vitest'

/** Waits until the condition gives something true, and returns it; as long as a busy machine may need. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
): Promise<Exclude<T, undefined | null | false>> {
  const given = await vi.waitUntil(condition, { timeout: 60_000, interval: 20 })
  return given as Exclude<T, undefined | null | false>
}

import type { ErasableStub } from './stubs.ts'

/** With these words an object ends that was erased: its caller hears of it as a failed call. */
export const ERASED = 'the workspace of this object was deleted'

/** Erases objects: their storage, their alarms, their sockets, and what they have in memory. */
export async function eraseStubs(stubs: readonly ErasableStub[]): Promise<void> {
  await Promise.all(
    stubs.map(async (stub) => {
      await stub.erase().catch((error: unknown) => {
        if (!String(error).includes(ERASED)) {
          throw error
        }
      })
    }),
  )
}

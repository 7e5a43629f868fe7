import { WorkspaceErased } from '#storage/replica.ts'
import { ERASED } from '../operations/erase-stubs.ts'

/**
 * Ends an object for good: sockets, alarm and storage. What it has in memory must not be written any more, so that the object is
 * aborted, which its caller hears of as a failed call.
 */
export async function eraseObject(ctx: DurableObjectState): Promise<void> {
  for (const socket of ctx.getWebSockets()) {
    socket.close(1008, ERASED)
  }
  await ctx.storage.deleteAlarm()
  await ctx.storage.deleteAll()
  await ctx.storage.sync()
  ctx.abort(ERASED)
}

/** An object that the store tells of the deletion of its workspace was woken too late: nothing of it may stay. */
export async function eraseIfTold(ctx: DurableObjectState, write: Promise<void>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (error instanceof WorkspaceErased) {
      await eraseObject(ctx)
    }
    throw error
  }
}

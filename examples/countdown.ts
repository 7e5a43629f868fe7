import { flow, sleep } from 'headgate'
import { z } from 'zod'

/** Works for a while, a second at a time, and stops at once when its run is cancelled. */
export const countdown = flow(
  {
    name: 'countdown',
    description: 'Counts down by seconds; something to cancel',
    parameters: z.object({ seconds: z.int().min(1).max(3600).default(60) }),
  },
  async ({ seconds }, { logger }) => {
    for (let left = seconds; left > 0; left -= 1) {
      logger.info('%d s left', left)
      await sleep(1)
    }
    return 'liftoff'
  },
)

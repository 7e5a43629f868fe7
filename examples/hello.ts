import { flow } from 'headgate'
import { z } from 'zod'

/** One schema gives the TypeScript type, the check of each run and the form in the console. */
const parameters = z.object({
  name: z.string().min(1).default('world').describe('Who is greeted'),
  times: z.int().min(1).max(10).default(1).describe('How often'),
})

export const hello = flow(
  { name: 'hello', description: 'Greets somebody', parameters },
  ({ name, times }, { logger }) => {
    for (let time = 1; time <= times; time += 1) {
      logger.info('Hello %s! (%d of %d)', name, time, times)
    }
    return { greeted: name, times }
  },
)

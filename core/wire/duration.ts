import * as z from 'zod'
import { parseDuration } from '../duration.ts'

const durationText = z
  .string()
  .meta({ format: 'duration' })
  .transform((text, context) => {
    const seconds = parseDuration(text)
    if (seconds === undefined) {
      context.addIssue({
        code: 'custom',
        message: 'Input should be a valid timedelta',
        input: text,
      })
      return z.NEVER
    }
    return seconds
  })

/** Seconds, or a text that says a duration, which is answered as seconds. */
export const durationSeconds = z.union([z.number(), durationText])

import { appendFileSync } from 'node:fs'
import { flow, sleep } from 'headgate'
import { z } from 'zod'

/** One line of the journal; whole, however many processes write at once: O_APPEND. */
export interface Entry {
  run: string
  pid: number
  what: 'start' | 'beat' | 'end'
  /** Epoch milliseconds. */
  at: number
}

/** Seconds between two signs of life. */
const BEAT = 0.1

/** Writes down when and in which process it runs, and logs its steps, ten in a second. */
export const journal = flow(
  {
    name: 'journal',
    parameters: z.object({ file: z.string(), steps: z.int().min(1) }),
  },
  async ({ file, steps }, { flowRun, logger }) => {
    const note = (what: Entry['what']) => {
      const entry: Entry = { run: flowRun.id, pid: process.pid, what, at: Date.now() }
      appendFileSync(file, `${JSON.stringify(entry)}\n`)
    }
    note('start')
    for (let step = 1; step <= steps; step += 1) {
      logger.info('step %d', step)
      await sleep(BEAT)
      note('beat')
    }
    note('end')
    return steps
  },
)

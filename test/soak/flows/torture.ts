import { appendFileSync } from 'node:fs'
import { flow, sleep } from 'headgate'
import { z } from 'zod'

/** One line of the journal; whole, however many processes write at once: O_APPEND. */
export interface Entry {
  run: string
  fence: number
  pid: number
  /** In this process: a flow that retries begins again. */
  attempt: number
  /** `line`: that step's line has been written to standard output. */
  what: 'start' | 'line' | 'end'
  step: number
  /** When the process began. Epoch milliseconds. */
  since: number
  at: number
}

/** Seconds between two signs of life. */
const BEAT = 0.1

const fence = Number(/\.(\d+)\/context\.json$/.exec(process.env['HEADGATE_RUN_CONTEXT'] ?? '')?.[1])
const since = Date.now() - process.uptime() * 1000
let attempt = 0

/** Writes down when, where and under which fence it runs; fails as often as it is told to, and is retried in its process. */
export const torture = flow(
  {
    name: 'torture',
    retries: 2,
    retryDelaySeconds: 1,
    parameters: z.object({ file: z.string(), steps: z.int().min(1), fails: z.int() }),
  },
  async ({ file, steps, fails }, { flowRun, logger }) => {
    attempt += 1
    const note = (what: Entry['what'], step: number) => {
      const moment = { since, at: Date.now() }
      const entry: Entry = {
        run: flowRun.id,
        fence,
        pid: process.pid,
        attempt,
        what,
        step,
        ...moment,
      }
      appendFileSync(file, `${JSON.stringify(entry)}\n`)
    }
    note('start', 0)
    for (let step = 1; step <= steps; step += 1) {
      logger.info('step %d.%d.%d', fence, attempt, step)
      process.stdout.write(`line ${fence}.${attempt}.${step}\n`)
      note('line', step)
      await sleep(BEAT)
    }
    if (attempt <= fails) {
      throw new Error(`attempt ${attempt} of ${fails} that fail`)
    }
    note('end', steps)
    return steps
  },
)

import { setMaxListeners } from 'node:events'
import type { AgentLog } from './agent-log.ts'
import type { Runs } from './runs.ts'
import { within } from './within.ts'

/** What the signals to the agent's process have led to. */
export interface Ladder {
  /** Aborts with the first signal: no more runs are to be taken. */
  draining: AbortSignal
  /** Resolves after the third, when the runs are dead. */
  killed: Promise<void>
  readonly wasKilled: boolean
  /** Gives the signals back to their default. */
  dismantle(): void
}

/** SIGTERM to SIGKILL for runs that the second signal cancels. Seconds: supervisors of services often kill after 30. */
const GRACE_SECONDS = 10
const KILL_PATIENCE_MS = 5000

/** Takes SIGTERM and SIGINT: the first drains, the second cancels the runs with grace, the third kills them. */
export function stopLadder(runs: Runs, log: AgentLog): Ladder {
  const draining = new AbortController()
  setMaxListeners(0, draining.signal)
  const killed = Promise.withResolvers<void>()
  let steps = 0
  let wasKilled = false
  const step = (signal: NodeJS.Signals) => {
    steps += 1
    if (steps === 1) {
      const left = runs.all().length
      log.info(
        `${signal}: taking no more runs; ${left === 0 ? 'none is left' : `${left} to finish (again: cancel them)`}`,
      )
      draining.abort()
    } else if (steps === 2) {
      log.warn(`${signal}: cancelling ${runs.all().length} runs (again: kill them)`)
      stopAll(runs, GRACE_SECONDS)
    } else if (steps === 3) {
      log.warn(`${signal}: killing ${runs.all().length} runs`)
      wasKilled = true
      stopAll(runs, 0)
      const gone = runs.until(() => runs.all().every((run) => !run.occupies), noSignal)
      void within(KILL_PATIENCE_MS, gone).then(killed.resolve)
    }
  }
  process.on('SIGTERM', step)
  process.on('SIGINT', step)
  return {
    draining: draining.signal,
    killed: killed.promise,
    get wasKilled() {
      return wasKilled
    },
    dismantle: () => {
      process.off('SIGTERM', step)
      process.off('SIGINT', step)
    },
  }
}

const noSignal = new AbortController().signal

function stopAll(runs: Runs, graceSeconds: number): void {
  for (const run of runs.all()) {
    run.stop(graceSeconds, 'the agent is being stopped', true)
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../../core/client.ts'
import { withRetry } from '../../../core/retry.ts'
import { isTerminal } from '../../../core/state.ts'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import type { State, StateType } from '../../../core/wire/state.ts'
import { SceneFailed } from './script.ts'

const POLL_MS = 150
/** A scene that takes longer has gone wrong: the slowest one waits for a schedule of ten seconds. */
const SCENE_SECONDS = 90

interface Seen {
  states: number
  logs: number
}

/** Prints what happens to runs while it happens: changes of state and log lines, in their order, each once. */
export class Follower {
  readonly #client: Client
  readonly #write: (text: string) => void
  readonly #seen = new Map<string, Seen>()
  readonly #names = new Map<string, string>()

  constructor(client: Client, write: (text: string) => void) {
    this.#client = client
    this.#write = write
  }

  say(text: string): void {
    this.#write(`  ${text}\n`)
  }

  /** Keeps printing for a while. */
  async pause(milliseconds: number): Promise<void> {
    const until = Date.now() + milliseconds
    while (Date.now() < until) {
      await this.#printAll()
      await sleep(POLL_MS)
    }
  }

  /** Follows one run until it reaches a state. */
  async followUntil(run: FlowRun, type: StateType): Promise<void> {
    this.#add([run])
    await this.#until(async () => (await this.#read(run.id)).state_type === type, run.name)
  }

  /**
   * Follows runs to their ends.
   * @throws SceneFailed when one ends otherwise than expected, or not at all
   */
  async followAll(runs: FlowRun[], expected: StateType): Promise<FlowRun[]> {
    this.#add(runs)
    let ended: FlowRun[] = []
    await this.#until(
      async () => {
        ended = await Promise.all(runs.map(({ id }) => this.#read(id)))
        return ended.every(({ state_type: type }) => type !== null && isTerminal(type))
      },
      runs.map(({ name }) => name).join(', '),
    )
    // Last lines are sent when a run's process ends.
    await this.pause(600)
    for (const run of ended) {
      if (run.state_type !== expected) {
        throw new SceneFailed(
          `'${run.name}' ended ${String(run.state_name)}, expected ${expected}: ${run.state?.message ?? ''}`,
        )
      }
    }
    return ended
  }

  #add(runs: FlowRun[]): void {
    for (const run of runs) {
      this.#seen.set(run.id, this.#seen.get(run.id) ?? { states: 0, logs: 0 })
      this.#names.set(run.id, run.name)
    }
  }

  async #until(isDone: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + SCENE_SECONDS * 1000
    while (!(await isDone())) {
      await this.#printAll()
      if (Date.now() > deadline) {
        throw new SceneFailed(`${what}: not there after ${SCENE_SECONDS} s`)
      }
      await sleep(POLL_MS)
    }
    await this.#printAll()
  }

  async #printAll(): Promise<void> {
    const lines = await Promise.all([...this.#seen].map(([id, seen]) => this.#news(id, seen)))
    for (const { time, text } of lines.flat().toSorted((a, b) => (a.time < b.time ? -1 : 1))) {
      this.#write(`  ${time.slice(11, 23)}  ${text}\n`)
    }
  }

  async #news(id: string, seen: Seen): Promise<{ time: string; text: string }[]> {
    const [states, logs] = await Promise.all([
      withRetry(() => this.#client.readFlowRunStates(id)),
      withRetry(() =>
        this.#client.filterLogs({ logs: { flow_run_id: { any_: [id] } }, offset: seen.logs }),
      ),
    ])
    const name = (this.#names.get(id) ?? '').padEnd(20)
    const changes = states.slice(seen.states)
    seen.states = states.length
    seen.logs += logs.length
    return [
      ...changes.map((state) => ({ time: state.timestamp, text: `${name} ${describe(state)}` })),
      ...logs.map((log) => ({ time: log.timestamp, text: `${name}   ${log.message}` })),
    ]
  }

  async #read(id: string): Promise<FlowRun> {
    return await withRetry(() => this.#client.readFlowRun(id))
  }
}

function describe(state: State): string {
  return `● ${state.name}${state.message ? `: ${state.message}` : ''}`
}

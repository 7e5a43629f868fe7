import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { listProcesses } from '../../worker/local/processes.ts'
import type { Entry } from './flows/torture.ts'
import type { Sighting } from './evidence.ts'

/** How often the list of processes is read. */
const LOOK_MS = 300

/** A living process of a run, as the list of processes shows it. */
export interface Seen {
  run: string
  fence: number
  pid: number
  parent: number
}

/** Watches the processes of runs from outside: a process that is listed twice has lived all the time between. */
export class Witness {
  readonly #folder: string
  readonly #journal: string
  readonly #groups = new Map<string, Sighting>()
  readonly #end = new AbortController()
  #watching: Promise<void> | undefined

  constructor(folder: string, journal: string) {
    this.#folder = folder
    this.#journal = journal
  }

  start(): void {
    this.#watching = this.#watch()
  }

  async stop(): Promise<void> {
    this.#end.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    while (!this.#end.signal.aborted) {
      this.look()
      await wait(LOOK_MS, undefined, { signal: this.#end.signal }).catch(() => undefined)
    }
  }

  /** The processes of runs that live now. */
  look(): Seen[] {
    const from = Date.now()
    const seen = listProcesses().flatMap(({ pid, parent, command }) => {
      const [, run = '', fence = ''] = RUN_CONTEXT.exec(command) ?? []
      return run === '' || !command.includes(this.#folder)
        ? []
        : [{ run, fence: Number(fence), pid, parent }]
    })
    for (const { run, fence, pid } of seen) {
      const key = `${run}.${fence}`
      const known = this.#groups.get(key)
      // All of them were alive at some time after the look began; none is known to have lived until its end.
      this.#groups.set(
        key,
        known ? { ...known, to: from } : { run, fence, pid, from: Date.now(), to: from },
      )
    }
    return seen
  }

  entries(): Entry[] {
    if (!existsSync(this.#journal)) {
      return []
    }
    // The last line may be half written just now.
    const lines = readFileSync(this.#journal, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Entry)
  }

  /** The processes of flows, from their start to their last sign of life. */
  flows(): Sighting[] {
    const flows = new Map<string, Sighting>()
    for (const { run, fence, pid, since, at } of this.entries()) {
      const key = `${run} ${pid}`
      const known = flows.get(key)
      flows.set(key, known ? { ...known, to: at } : { run, fence, pid, from: since, to: at })
    }
    return [...flows.values()]
  }

  /** Executions with all their processes, from their first to their last sign of life. */
  executions(): Sighting[] {
    const all = new Map(this.#groups)
    for (const flow of this.flows()) {
      const key = `${flow.run}.${flow.fence}`
      const known = all.get(key) ?? flow
      const span = { from: Math.min(known.from, flow.from), to: Math.max(known.to, flow.to) }
      all.set(key, { ...known, ...span })
    }
    return [...all.values()].filter(({ from, to }) => from <= to)
  }
}

const RUN_CONTEXT = /HEADGATE_RUN_CONTEXT=\S*\/([0-9a-f-]{36})\.(\d+)\/context\.json/

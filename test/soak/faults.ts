import { setTimeout as wait } from 'node:timers/promises'
import type { D1Faults } from '../support/d1-faults.ts'
import { kill } from '../support/node/sandbox.ts'
import { FOUL } from './faulty-proxy.ts'
import type { Random } from './random.ts'
import type { AgentPost, World } from './world.ts'

/** How often what is struck, of all strikes. */
const STRIKES = {
  'workerd killed': 2,
  'server killed': 1,
  'server paused': 2,
  'agent killed': 3,
  'agent paused': 3,
  'agent cut off': 2,
  'connections cut': 2,
  'D1 harmed': 3,
  'run killed': 3,
  'run paused': 2,
  'supervisor killed': 1,
}
type Strike = keyof typeof STRIKES

/** Shares of calls: D1 is away now and then, or altogether; hangs; is full; does what it then says it has not. */
const STORE_FAULTS: D1Faults[] = [
  { fail: 0.3 },
  { fail: 1 },
  { hang: 0.2, hang_ms: 10_000 },
  { hang: 1 },
  { lose: 0.3 },
  { full: 1 },
  { slow: 1, slow_ms: 1500 },
  { fail: 0.1, lose: 0.1, hang: 0.1, hang_ms: 3000, slow: 0.3 },
]

export interface FaultsOptions {
  random: Random
  /** Seconds between two strikes, at most. */
  every: number
  /** Whether some last longer than a lease, or than the time that a host may be away. */
  long: boolean
}

/** Strikes at random, one thing after another and several at once, until the signal aborts. */
export class Faults {
  /** What was struck, and when, in seconds since the beginning. */
  readonly story: string[] = []
  readonly counts = new Map<Strike, number>()
  /** Runs whose processes were killed. */
  readonly killed = new Set<string>()
  readonly #world: World
  readonly #options: FaultsOptions
  readonly #random: Random
  readonly #began = Date.now()
  readonly #under = new Set<Promise<void>>()
  #serverIsBusy = false

  constructor(world: World, options: FaultsOptions) {
    this.#world = world
    this.#options = options
    this.#random = options.random
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#world.setWeather(FOUL)
    while (!signal.aborted) {
      await sleep(this.#random.between(500, this.#options.every * 1000), signal)
      if (signal.aborted) {
        break
      }
      const strike = this.#random.weighted(STRIKES)
      const striking = this.#strike(strike, this.#random.fork(), signal)
      this.#under.add(striking)
      void striking.finally(() => this.#under.delete(striking))
    }
    await Promise.all(this.#under)
  }

  async #strike(strike: Strike, random: Random, signal: AbortSignal): Promise<void> {
    switch (strike) {
      case 'workerd killed':
      case 'server killed':
      case 'server paused':
        await this.#strikeServer(strike, random, signal)
        break
      case 'agent killed':
      case 'agent paused':
      case 'agent cut off':
        await this.#strikeAgent(strike, random, signal)
        break
      case 'connections cut': {
        const proxy = random.pick(this.#world.proxies)
        this.#note(strike, '')
        proxy?.cutAll()
        break
      }
      case 'D1 harmed':
        await this.#strikeStore(random, signal)
        break
      default:
        await this.#strikeRun(strike, random, signal)
    }
  }

  async #strikeServer(strike: Strike, random: Random, signal: AbortSignal): Promise<void> {
    if (this.#serverIsBusy) {
      return
    }
    this.#serverIsBusy = true
    try {
      const workerds = this.#world.server.workerds().map(({ pid }) => pid)
      if (strike === 'server killed') {
        const seconds = this.#howLong(random, { most: 5, long: [25, 70] })
        this.#note(strike, `for ${seconds} s`)
        await this.#world.crashServer()
        await sleep(seconds * 1000, signal)
        await this.#world.startServer()
      } else if (strike === 'workerd killed') {
        this.#note(strike, '')
        workerds.forEach((pid) => kill(pid))
      } else {
        const seconds = this.#howLong(random, { most: 6, long: [25, 70] })
        this.#note(strike, `for ${seconds} s`)
        workerds.forEach((pid) => kill(pid, 'SIGSTOP'))
        await sleep(seconds * 1000, signal)
        workerds.forEach((pid) => kill(pid, 'SIGCONT'))
      }
    } finally {
      this.#serverIsBusy = false
    }
  }

  async #strikeStore(random: Random, signal: AbortSignal): Promise<void> {
    const seconds = this.#howLong(random, { most: 8, long: [20, 60] })
    const what = random.pick(STORE_FAULTS) ?? {}
    this.#note('D1 harmed', `${JSON.stringify(what)} for ${seconds} s`)
    await this.#world.setStoreFaults(what)
    await sleep(seconds * 1000, signal)
    await this.#world.setStoreFaults({})
  }

  async #strikeAgent(strike: Strike, random: Random, signal: AbortSignal): Promise<void> {
    const post = random.pick(this.#world.posts)
    if (post === undefined || post.busy) {
      return
    }
    post.busy = true
    try {
      const seconds = this.#howLong(random, { most: 8, long: [50, 110], longest: [350, 400] })
      this.#note(strike, `${post.name} for ${seconds} s`)
      if (strike === 'agent killed') {
        await post.agent.crash()
        await sleep(seconds * 1000, signal)
        this.#world.startAgent(post)
      } else if (strike === 'agent paused') {
        await pauseAgent(post, seconds, signal)
      } else {
        post.proxy.cutOff()
        await sleep(seconds * 1000, signal)
        post.proxy.heal()
      }
    } finally {
      post.busy = false
    }
  }

  async #strikeRun(strike: Strike, random: Random, signal: AbortSignal): Promise<void> {
    const seen = this.#world.witness.look()
    const flows = new Map(this.#world.witness.entries().map(({ run, pid }) => [pid, run]))
    const alive = seen.filter(({ pid, run }) => flows.get(pid) === run)
    const chosen = random.pick(alive)
    if (chosen === undefined) {
      return
    }
    const { run, pid, parent } = chosen
    if (strike === 'run paused') {
      const seconds = this.#howLong(random, { most: 8, long: [20, 60] })
      this.#note(strike, `${run}, process ${pid}, for ${seconds} s`)
      kill(pid, 'SIGSTOP')
      await sleep(seconds * 1000, signal)
      if (this.#world.witness.look().some((one) => one.pid === pid && one.run === run)) {
        kill(pid, 'SIGCONT')
      }
      return
    }
    const victim = strike === 'run killed' ? pid : parent
    if (seen.some((one) => one.pid === victim && one.run === run)) {
      this.#note(strike, `${run}, process ${victim}`)
      this.killed.add(run)
      kill(victim)
    }
  }

  #howLong(
    random: Random,
    spans: { most: number; long: [number, number]; longest?: [number, number] },
  ): number {
    const kind = this.#options.long
      ? random.weighted({ short: 16, long: 4, longest: spans.longest === undefined ? 0 : 1 })
      : 'short'
    const [least, most] = { short: [0, spans.most], long: spans.long, longest: spans.longest }[
      kind
    ] ?? [0, spans.most]
    return Math.round(random.between(least ?? 0, most ?? 0) * 10) / 10
  }

  #note(strike: Strike, detail: string): void {
    this.counts.set(strike, (this.counts.get(strike) ?? 0) + 1)
    const seconds = ((Date.now() - this.#began) / 1000).toFixed(1)
    this.story.push(`${new Date().toISOString()} (${seconds} s) ${strike} ${detail}`.trimEnd())
  }
}

async function pauseAgent({ agent }: AgentPost, seconds: number, signal: AbortSignal) {
  agent.signal('SIGSTOP')
  await sleep(seconds * 1000, signal)
  agent.signal('SIGCONT')
}

/** The soak's end ends all waiting. */
async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal }).catch(() => undefined)
}

import { setTimeout as wait } from 'node:timers/promises'
import { errorKind, withRetry } from '../../core/retry.ts'
import type { Change, Run } from './evidence.ts'
import type { Random } from './random.ts'
import { POOL, type World } from './world.ts'

const UNFINISHED = ['SCHEDULED', 'PENDING', 'RUNNING', 'CANCELLING', 'PAUSED'] as const

export interface LoadOptions {
  random: Random
  /** How many runs may be unfinished at a time. */
  crowd: number
  /** Steps (ten in a second) of the longest runs. */
  longest: number
}

type Setting = Pick<Change, 'limit' | 'paused'>

/** Makes runs, cancels some of them, and changes limits, as people do; and notes all that it does. */
export class Load {
  readonly runs: Run[] = []
  readonly changes: Change[] = []
  cancellations = 0
  readonly #world: World
  readonly #options: LoadOptions
  readonly #random: Random
  readonly #settings = new Map<string, Setting>()

  constructor(world: World, options: LoadOptions) {
    this.#world = world
    this.#options = options
    this.#random = options.random
  }

  /** The limits that a soak begins with. */
  async prepare(): Promise<void> {
    for (const [scope, limit] of Object.entries(this.#firstLimits())) {
      await this.#change(scope, { limit, paused: false })
    }
  }

  #firstLimits(): Record<string, number | null> {
    const { queues, deployments } = this.#world
    const limited = deployments.get('limited') ?? ''
    const narrow = queues.find(({ name }) => name === 'narrow')?.id ?? ''
    return { pool: 6, [narrow]: 2, [limited]: 2 }
  }

  /** Goes on until the signal aborts; what was begun is brought to its end. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#create(signal), this.#cancel(signal), this.#reconfigure(signal)])
  }

  async #create(signal: AbortSignal): Promise<void> {
    const random = this.#random.fork()
    const under = new Set<Promise<void>>()
    let unfinished = 0
    for (let count = 0; !signal.aborted; count += 1) {
      if (count % 8 === 0) {
        unfinished = await this.#countUnfinished(unfinished)
      }
      if (unfinished + under.size >= this.#options.crowd) {
        count -= (count % 8) + 1
        await pause(500, signal)
        continue
      }
      const creating = this.#createOne(random.fork(), this.runs.length + under.size)
      under.add(creating)
      void creating.finally(() => under.delete(creating))
      unfinished += 1
      await pause(random.between(20, 600), signal)
    }
    await Promise.all(under)
  }

  async #countUnfinished(before: number): Promise<number> {
    const query = { flow_runs: { state: { type: { any_: [...UNFINISHED] } } } }
    // While the server is away nothing is finished.
    return await this.#world.client.countFlowRuns(query).catch(() => before)
  }

  async #createOne(random: Random, number: number): Promise<void> {
    const queue = random.pick(this.#world.queues)
    const name = random.weighted({ plain: 6, limited: 4 })
    const deployment = this.#world.deployments.get(name)
    if (queue === undefined || deployment === undefined) {
      return
    }
    const fails = random.weighted({ '0': 16, '1': 2, '3': 1 })
    const steps = random.chance(0.1) ? random.whole(20, this.#options.longest) : random.whole(2, 20)
    const from = Date.now()
    const flowRun = await withRetry(
      () =>
        this.#world.clientOutside.createFlowRunFromDeployment(deployment, {
          parameters: { file: this.#world.journal, steps, fails: Number(fails) },
          work_queue_name: queue.name,
          // However often it is sent, it is one run.
          idempotency_key: `soak-${number}-${from}-${steps}`,
          empirical_policy: { infrastructure_retries: random.whole(0, 1) },
        }),
      { attempts: Infinity, maxMs: 1000 },
    )
    this.runs.push({
      id: flowRun.id,
      name: flowRun.name,
      queue: queue.id,
      deployment,
      created: { from, to: Date.now() },
      fails: Number(fails),
      end: { type: null, name: null, message: null, at: 0, agentLost: false },
    })
  }

  async #cancel(signal: AbortSignal): Promise<void> {
    const random = this.#random.fork()
    while (!signal.aborted) {
      await pause(random.between(1500, 6000), signal)
      const run = random.pick(this.runs.slice(-this.#options.crowd))
      if (run === undefined || signal.aborted) {
        continue
      }
      const state = { type: 'CANCELLING', name: 'Cancelling' } as const
      run.cancelled ??= Date.now()
      this.cancellations += 1
      // A run that is over refuses it; one that nobody could be asked for stays as it is.
      await withRetry(() => this.#world.clientOutside.setFlowRunState(run.id, state), {
        attempts: 4,
      }).catch(() => undefined)
    }
  }

  async #reconfigure(signal: AbortSignal): Promise<void> {
    const random = this.#random.fork()
    const { queues, deployments } = this.#world
    while (!signal.aborted) {
      await pause(random.between(2000, 6000), signal)
      const what = random.weighted({ pool: 1, queue: 2, deployment: 2, pause: 2 })
      const queue = random.pick(queues)
      if (what === 'pool') {
        await this.#change('pool', { limit: random.pick([4, 5, 6, 7]) ?? 4, paused: false })
      } else if (what === 'deployment') {
        const limited = deployments.get('limited') ?? ''
        await this.#change(limited, { limit: random.whole(1, 3), paused: false })
      } else if (queue !== undefined && what === 'queue') {
        const limit = queue.name === 'urgent' ? null : random.whole(1, 3)
        await this.#change(queue.id, { limit, paused: false })
      } else {
        const scope = random.chance(0.3) ? 'pool' : (queue?.id ?? 'pool')
        const limit = this.#settings.get(scope)?.limit ?? null
        await this.#change(scope, { limit, paused: true })
        await pause(random.between(500, 4000), signal)
        await this.#change(scope, { limit, paused: false })
      }
    }
  }

  /** Tried until the server has said that it is so. */
  async #change(scope: string, setting: Setting): Promise<void> {
    const from = Date.now()
    await withRetry(() => this.#apply(scope, setting), { attempts: Infinity, maxMs: 1000 })
    this.#settings.set(scope, setting)
    this.changes.push({ of: scope, ...setting, from, to: Date.now() })
  }

  async #apply(scope: string, { limit, paused }: Setting): Promise<void> {
    const { client, queues } = this.#world
    const queue = queues.find(({ id }) => id === scope)
    const body = { concurrency_limit: limit, is_paused: paused }
    if (scope === 'pool') {
      await client.updateWorkPool(POOL, body)
    } else if (queue === undefined) {
      await client.updateDeployment(scope, { concurrency_limit: limit })
    } else {
      await client.updateWorkQueue(POOL, queue.name, body)
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal }).catch((error: unknown) => {
    if (errorKind(error) !== 'refused') {
      throw error
    }
  })
}

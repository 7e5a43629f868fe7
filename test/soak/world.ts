import { globSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from '../../core/client.ts'
import { withRetry } from '../../core/retry.ts'
import type { D1Faults } from '../support/d1-faults.ts'
import { BuiltAgent } from '../support/node/built-agent.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { setD1Faults } from './faulty-server.ts'
import { freePort, kill, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'
import { isOfExecutions } from './collect.ts'
import type { Queue } from './evidence.ts'
import { FAIR, FaultyProxy, type Weather } from './faulty-proxy.ts'
import type { Random } from './random.ts'
import { Witness } from './witness.ts'

export const POOL = 'torture'
const FLOWS = join(import.meta.dirname, 'flows')
/** How many runs one agent takes at once. */
const AGENT_LIMIT = 4

export interface AgentPost {
  name: string
  proxy: FaultyProxy
  agent: BuiltAgent
  /** Something is being done to it: one thing at a time. */
  busy: boolean
}

export interface WorldOptions {
  agents: number
  firstPort: number
  random: Random
}

/** The built system in a sandbox: one server, several agents, each behind a proxy of its own, and one more for clients. */
export class World {
  readonly sandbox = new Sandbox()
  readonly witness = new Witness(this.sandbox.folder, this.sandbox.path('journal.jsonl'))
  readonly posts: AgentPost[] = []
  readonly queues: Queue[] = []
  /** By name. */
  readonly deployments = new Map<string, string>()
  readonly journal = this.sandbox.path('journal.jsonl')
  readonly #said: { name: string; text: () => string }[] = []
  #port = 0
  #server: LocalServer | undefined
  #clientProxy: FaultyProxy | undefined

  static async build(options: WorldOptions): Promise<World> {
    const world = new World()
    try {
      await world.#build(options)
      return world
    } catch (error) {
      await world.sandbox.dispose()
      throw error
    }
  }

  async #build({ agents, firstPort, random }: WorldOptions): Promise<void> {
    this.#port = await freePort(firstPort)
    await this.startServer()
    const proxy = () =>
      FaultyProxy.start({
        port: 0,
        target: this.#port,
        random: random.fork(),
        keeps: isOfExecutions,
      })
    this.#clientProxy = await proxy()
    const { client } = this.server
    await client.createWorkPool({ name: POOL, type: 'process' })
    for (const [index, name] of ['urgent', 'narrow', 'bulk'].entries()) {
      const { id, priority } = await client.createWorkQueue(POOL, { name, priority: index + 1 })
      this.queues.push({ id, name, priority })
    }
    const env = this.server.environment
    const deployed = await this.sandbox.headgate(['deploy', '--all'], { env, cwd: FLOWS })
    if (deployed.code !== 0) {
      throw new Error(`the flows could not be deployed: ${deployed.stderr}`)
    }
    for (const name of ['plain', 'limited']) {
      this.deployments.set(name, (await client.readDeploymentByName('torture', name)).id)
    }
    for (let index = 1; index <= agents; index += 1) {
      const post = { name: `agent-${index}`, proxy: await proxy(), busy: false }
      this.posts.push({ ...post, agent: this.#launch(post) })
    }
    this.witness.start()
  }

  get server(): LocalServer {
    if (this.#server === undefined) {
      throw new Error('the server has never been started')
    }
    return this.#server
  }

  get proxies(): FaultyProxy[] {
    const ofClients = this.#clientProxy === undefined ? [] : [this.#clientProxy]
    return [...this.posts.map(({ proxy }) => proxy), ...ofClients]
  }

  /** Goes straight to the server: what it changes is changed once, in order. */
  get client(): Client {
    return this.server.client
  }

  /** Goes through bad weather. */
  get clientOutside(): Client {
    const { api_key: apiKey } = this.server.addresses
    const port = this.#clientProxy?.port ?? 0
    return new Client({ apiUrl: `http://127.0.0.1:${port}/api`, apiKey, timeoutMs: 15_000 })
  }

  setWeather(weather: Weather): void {
    for (const proxy of this.proxies) {
      proxy.weather = weather
    }
  }

  /** What befalls the calls of D1 from now on, as far as the server hears of it. */
  async setStoreFaults(faults: D1Faults): Promise<void> {
    await setD1Faults(this.server.addresses.api_url, faults).catch(() => undefined)
  }

  async startServer(): Promise<void> {
    const started = LocalServer.launch(this.sandbox, this.#port, { faulty: true })
    this.#said.push({ name: 'server', text: () => started.stderr })
    await started.isReady()
    this.#server = started
  }

  startAgent(post: AgentPost): void {
    post.agent = this.#launch(post)
  }

  #launch({ name, proxy }: Pick<AgentPost, 'name' | 'proxy'>): BuiltAgent {
    const environment = {
      HEADGATE_API_URL: `http://127.0.0.1:${proxy.port}/api`,
      HEADGATE_API_KEY: this.server.addresses.api_key,
    }
    const agent = BuiltAgent.start(this.sandbox, {
      pool: POOL,
      name,
      limit: AGENT_LIMIT,
      environment,
    })
    this.#said.push({ name, text: () => agent.said })
    return agent
  }

  /** Nothing is harmed any more, and all that was ended is there again. */
  async heal(): Promise<void> {
    this.setWeather(FAIR)
    for (const proxy of this.proxies) {
      proxy.heal()
    }
    await withRetry(() => this.client.health(), { attempts: 100, maxMs: 500 })
    await setD1Faults(this.server.addresses.api_url, {})
  }

  /** No agent has anything of an execution on its disk any more, so that all of it is reported. */
  async agentsSettle(): Promise<void> {
    const folders = () => globSync(join(this.sandbox.folder, 'home/agents/*/runs/*'))
    await until('the agents have settled', () => folders().length === 0, 120_000).catch(
      () => undefined,
    )
  }

  /** Agents and server end when they are told to. @returns what should not be there: a sentence each */
  async end(): Promise<string[]> {
    const wrong = globSync(join(this.sandbox.folder, 'home/agents/*/runs/*'))
    for (const { name, agent } of this.posts) {
      const code = await agent.stop()
      if (code !== 0) {
        wrong.push(`${name} ended with ${String(code)}`)
      }
    }
    // What the homes still have to tell is told within seconds.
    await wait(QUIET_MS)
    this.server.signal('SIGTERM')
    const code = await this.server.exit()
    if (code !== 0) {
      wrong.push(`the server ended with ${String(code)}`)
    }
    await this.sandbox.isEmpty(30_000).catch((error: Error) => {
      wrong.push(...error.message.split('\n').map((line) => `process ${line} is left`))
    })
    return wrong
  }

  async dispose(): Promise<void> {
    await this.witness.stop()
    for (const { pid } of this.sandbox.processes()) {
      kill(pid, 'SIGCONT')
    }
    await Promise.all(this.proxies.map((proxy) => proxy.close()))
    await this.sandbox.dispose()
  }

  /** What all of them have said, for whoever looks for a fault. */
  get said(): string {
    return this.#said.map(({ name, text }) => `--- ${name}\n${text()}`).join('\n')
  }

  /** Ends what is left of a server whose runner was killed, too. */
  async crashServer(): Promise<void> {
    const left = this.server.workerds()
    await this.server.crash()
    for (const { pid } of left) {
      kill(pid)
    }
    await until('the port is free', () => isGone(left), 30_000)

    function isGone(marks: { pid: number }[]): boolean {
      return marks.every(({ pid }) => {
        try {
          process.kill(pid, 0)
          return false
        } catch {
          return true
        }
      })
    }
  }
}

const QUIET_MS = 3000

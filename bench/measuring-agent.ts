import { randomUUID } from 'node:crypto'
import type { ClaimResult } from '../core/wire/execution.ts'
import type { MeasuredServer } from './context.ts'

/** An agent that claims as the real one does, when the doorbell rings, and ends what it gets instead of starting it. */
export class MeasuringAgent {
  /** When it had each run, by the run's id. */
  readonly had = new Map<string, number>()
  readonly #server: MeasuredServer
  readonly #pool: string
  readonly #identity = { agent_id: randomUUID(), name: `bench-${randomUUID()}`, version: 'bench' }
  #socket: WebSocket | undefined
  #claiming: Promise<void> | undefined
  #again = false
  readonly #ends = new Set<Promise<unknown>>()

  constructor(server: MeasuredServer, pool: string) {
    this.#server = server
    this.#pool = pool
  }

  async start(): Promise<void> {
    const first = await this.#claim()
    const url = new URL(`${this.#server.apiUrl}/work_pools/${this.#pool}/doorbell`)
    url.protocol = 'ws:'
    url.searchParams.set('agent_id', this.#identity.agent_id)
    url.searchParams.set('version', String(first.version))
    const Authorization = `Bearer ${this.#server.environment['HEADGATE_API_KEY'] ?? ''}`
    const socket = new WebSocket(url.href, { headers: { Authorization } } as never)
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      if (String(data).includes('"work"')) {
        this.#answer()
      }
    })
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', () => reject(new Error('the doorbell does not open')))
    })
  }

  async stop(): Promise<void> {
    this.#socket?.close()
    await this.#claiming
    await Promise.all(this.#ends)
  }

  /** One claim at a time; a ring that comes meanwhile is answered by the next. */
  #answer(): void {
    if (this.#claiming !== undefined) {
      this.#again = true
      return
    }
    this.#claiming = this.#claimAll().finally(() => {
      this.#claiming = undefined
    })
  }

  async #claimAll(): Promise<void> {
    do {
      this.#again = false
      await this.#claim()
    } while (this.#again)
  }

  async #claim(): Promise<ClaimResult> {
    const result = await this.#server.http.json<ClaimResult>('POST', this.#path('claim'), {
      agent: this.#identity,
      limit: 100,
    })
    const now = performance.now()
    const executions = result.runs.map(({ flow_run, fence }) => {
      this.had.set(flow_run.id, now)
      return { flow_run_id: flow_run.id, fence }
    })
    if (executions.length > 0) {
      const end = this.#end(executions)
      this.#ends.add(end)
      void end.finally(() => this.#ends.delete(end))
    }
    return result
  }

  async #end(executions: { flow_run_id: string; fence: number }[]): Promise<void> {
    const agent_id = this.#identity.agent_id
    await this.#server.http.json('POST', this.#path('accept'), { agent_id, executions })
    await this.#server.http.json('POST', this.#path('finish'), {
      agent_id,
      executions: executions.map((execution) => ({ ...execution, exit_code: 0 })),
    })
  }

  #path(verb: string): string {
    return `work_pools/${this.#pool}/${verb}`
  }
}

import { randomUUID } from 'node:crypto'
import type { ClaimedRun, ClaimResult } from '../core/wire/execution.ts'
import type { Http } from './http.ts'

/** What a run does, as our SDK sends it. */
export interface Workload {
  tasks: number
  /** Beside the two lines that the SDK itself writes. */
  log_lines: number
}

/** Task runs' states that the SDK has gathered when it sends them: a quarter of a second's. */
const EVENTS_PER_REQUEST = 60
/** A second's log lines. */
const LINES_PER_REQUEST = 100

/**
 * An agent with the runs that it holds: claims when the doorbell rings (or by long poll), accepts, and sends for each run what
 * the code in it would send, with its own token.
 */
export class CostAgent {
  readonly #http: Http
  readonly #pool: string
  readonly #workload: Workload
  readonly #isSilent: boolean
  readonly #identity = { agent_id: randomUUID(), name: `cost-${randomUUID()}`, version: 'bench' }
  readonly #working = new Set<Promise<void>>()
  #ended = 0
  #isStopped = false
  #ring: (() => void) | undefined
  #hasRung = false

  /** @param isSilent without the two lines that the SDK writes to the log of each run */
  constructor(http: Http, pool: string, workload: Workload, isSilent = false) {
    this.#http = http
    this.#pool = pool
    this.#workload = workload
    this.#isSilent = isSilent
  }

  get ended(): number {
    return this.#ended
  }

  /** Claims again and again until it is stopped. `socket`: its doorbell; without one it long-polls. */
  async run(socket: WebSocket | undefined): Promise<void> {
    socket?.addEventListener('message', ({ data }) => {
      if (String(data).includes('"work"')) {
        this.#hasRung = true
        this.#ring?.()
      }
    })
    while (!this.#isStopped) {
      this.#hasRung = false
      const { runs } = await this.#post<ClaimResult>(this.#path('claim'), {
        agent: this.#identity,
        limit: 100,
        wait_seconds: socket === undefined ? 25 : 0,
      })
      if (runs.length > 0) {
        const work = this.#carryOut(runs)
        this.#working.add(work)
        void work.finally(() => this.#working.delete(work))
      } else if (socket !== undefined && !this.#hasRung && !this.#isStopped) {
        await new Promise<void>((resolve) => (this.#ring = resolve))
      }
    }
    await Promise.all(this.#working)
  }

  stop(): void {
    this.#isStopped = true
    this.#ring?.()
  }

  /** Where its doorbell is. */
  doorbellUrl(apiUrl: string): string {
    const url = new URL(`${apiUrl}/${this.#path('doorbell')}`)
    url.protocol = 'ws:'
    url.searchParams.set('agent_id', this.#identity.agent_id)
    url.searchParams.set('agent_name', this.#identity.name)
    return url.href
  }

  async #carryOut(runs: ClaimedRun[]): Promise<void> {
    const { agent_id } = this.#identity
    const executions = runs.map(({ flow_run, fence }) => ({ flow_run_id: flow_run.id, fence }))
    await this.#post(this.#path('accept'), { agent_id, executions })
    await Promise.all(runs.map((run) => this.#execute(run)))
  }

  async #execute({ flow_run: { id }, fence, run_token }: ClaimedRun): Promise<void> {
    const own = { Authorization: `Bearer ${run_token}` }
    const propose = (type: string) =>
      this.#post<{ status: string }>(`flow_runs/${id}/set_state`, { state: { type } }, own)
    await propose('RUNNING')
    const events = Array.from({ length: this.#workload.tasks }, () => taskEvents(id)).flat()
    for (let from = 0; from < events.length; from += EVENTS_PER_REQUEST) {
      await this.#post('events', events.slice(from, from + EVENTS_PER_REQUEST), own)
    }
    const count = this.#workload.log_lines + (this.#isSilent ? 0 : 1)
    const lines = Array.from({ length: count }, (_, line) => aLine(id, line))
    for (let from = 0; from < lines.length; from += LINES_PER_REQUEST) {
      await this.#post('logs/', lines.slice(from, from + LINES_PER_REQUEST), own)
    }
    await propose('COMPLETED')
    if (!this.#isSilent) {
      await this.#post('logs/', [aLine(id, lines.length)], own)
    }
    await this.#post(this.#path('finish'), {
      agent_id: this.#identity.agent_id,
      executions: [{ flow_run_id: id, fence, exit_code: 0 }],
    })
    this.#ended += 1
  }

  #path(verb: string): string {
    return `work_pools/${this.#pool}/${verb}`
  }

  #post<T>(path: string, body: object, headers: Record<string, string> = {}): Promise<T> {
    return this.#http.json<T>('POST', path, body, headers)
  }
}

function taskEvents(flowRunId: string): object[] {
  const id = randomUUID()
  let initial: object | null = null
  return ['PENDING', 'RUNNING', 'COMPLETED'].map((type) => {
    const name = type.slice(0, 1) + type.slice(1).toLowerCase()
    const timestamp = new Date().toISOString()
    const state = { type, name, timestamp, message: '', data: null, state_details: {} }
    const event = {
      id: randomUUID(),
      occurred: timestamp,
      event: `prefect.task-run.${name}`,
      resource: {
        'prefect.resource.id': `prefect.task-run.${id}`,
        'prefect.resource.name': 'load-0',
        'prefect.orchestration': 'client',
      },
      related: [
        {
          'prefect.resource.id': `prefect.flow-run.${flowRunId}`,
          'prefect.resource.role': 'flow-run',
        },
      ],
      payload: {
        intended: { from: null, to: type },
        initial_state: initial,
        validated_state: state,
        task_run: {
          name: 'load-0',
          task_key: 'load',
          dynamic_key: id,
          tags: [],
          labels: {},
          task_inputs: {},
          empirical_policy: { retries: 0 },
          run_count: type === 'PENDING' ? 0 : 1,
        },
      },
    }
    initial = state
    return event
  })
}

function aLine(flow_run_id: string, line: number): object {
  return {
    name: 'headgate.flow_runs',
    level: 20,
    message: `line ${line} of a run that says what it does, as runs do`,
    timestamp: new Date().toISOString(),
    flow_run_id,
  }
}

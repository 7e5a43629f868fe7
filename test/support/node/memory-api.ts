// oxlint-disable no-underscore-dangle -- the names of the wire: any_, after_
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { z } from 'zod'
import { formatTimestamp } from '../../../core/time.ts'
import * as deployments from '../../../core/wire/deployment.ts'
import { flowCreate } from '../../../core/wire/flow.ts'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import type { Log } from '../../../core/wire/log.ts'
import * as query from '../../../core/wire/query.ts'
import * as schedules from '../../../core/wire/schedule.ts'
import { setState, type State, type StateCreate } from '../../../core/wire/state.ts'
import * as pools from '../../../core/wire/work-pool.ts'
import * as queues from '../../../core/wire/work-queue.ts'

/**
 * The far end for tests of the command line: the API's routes over HTTP, kept in memory. Every request is checked against
 * the wire's own strict schema, so a body that the real API would refuse is refused here too.
 */
export class MemoryApi {
  readonly key = 'hg_0123456789abcdef'
  readonly pools: pools.WorkPool[] = []
  readonly queues: queues.WorkQueue[] = []
  readonly flows: {
    id: string
    name: string
    created: string
    updated: string
    tags: string[]
    labels: object
  }[] = []
  readonly deployments: deployments.Deployment[] = []
  readonly runs: FlowRun[] = []
  readonly states: State[] = []
  readonly logs: Log[] = []
  readonly taskRuns: { id: string; name: string }[] = []
  /** Every request that came, as `METHOD /path`. */
  readonly requests: string[] = []
  #server = createServer((request, response) => void this.#answer(request, response))
  #time = Date.now() * 1000

  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve)
    })
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** A time later than every one before. */
  now(): string {
    this.#time = Math.max(this.#time + 1, Date.now() * 1000)
    return formatTimestamp(this.#time)
  }

  addRun(values: Partial<FlowRun> & { flow_id: string }, state: StateCreate): FlowRun {
    const run = aFlowRun({ ...this.#stored(), ...values })
    this.runs.push(run)
    this.setState(run, state)
    return run
  }

  setState(run: FlowRun, create: StateCreate): State {
    const state = {
      id: randomUUID(),
      type: create.type,
      name: create.name ?? create.type.charAt(0) + create.type.slice(1).toLowerCase(),
      timestamp: this.now(),
      message: create.message ?? null,
      data: null,
      state_details: { flow_run_id: run.id },
    }
    this.states.push(state)
    Object.assign(run, {
      state,
      state_id: state.id,
      state_type: state.type,
      state_name: state.name,
    })
    return state
  }

  addLog(run: FlowRun, message: string, values: Partial<Log> = {}): Log {
    const log = {
      ...this.#stored(),
      name: 'headgate.flow_runs',
      level: 20,
      message,
      timestamp: this.now(),
      flow_run_id: run.id,
      task_run_id: null,
      ...values,
    }
    this.logs.push(log)
    return log
  }

  #stored() {
    const now = this.now()
    return { id: randomUUID(), created: now, updated: now }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request) {
      text += String(chunk)
    }
    const url = new URL(request.url ?? '/', 'http://memory')
    const path = url.pathname.replace(/^\/api/, '')
    const line = `${request.method} ${path}`
    this.requests.push(line)
    const { status, body } =
      request.headers.authorization === `Bearer ${this.key}`
        ? this.#route(line, text === '' ? undefined : JSON.parse(text), url)
        : refuse(401, 'Unauthorized')
    response.writeHead(status, { 'Content-Type': 'application/json' })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }

  #route(line: string, body: unknown, url: URL): Answer {
    for (const [pattern, handle] of this.#routes) {
      const match = pattern.exec(line)
      if (match !== null) {
        const parts = match.slice(1).map((part) => decodeURIComponent(part))
        try {
          return handle({ body, url, parts })
        } catch (error) {
          if (error instanceof Refusal) {
            return error.answer
          }
          throw error
        }
      }
    }
    return refuse(404, 'Not Found')
  }

  readonly #routes: [RegExp, (call: Call) => Answer][] = [
    [/^POST \/work_pools\/count$/, () => ok(this.pools.length)],
    [
      /^POST \/work_pools\/$/,
      ({ body }) => {
        const given = read(pools.workPoolCreate, body)
        if (this.pools.some(({ name }) => name === given.name)) {
          return refuse(409, `Work pool with name '${given.name}' already exists.`)
        }
        const pool: pools.WorkPool = {
          ...this.#stored(),
          name: given.name,
          description: given.description ?? null,
          type: given.type ?? 'process',
          base_job_template: given.base_job_template ?? {},
          is_paused: given.is_paused ?? false,
          concurrency_limit: given.concurrency_limit ?? null,
          status: 'NOT_READY',
          default_queue_id: randomUUID(),
          storage_configuration: {},
          active_slots: 0,
        }
        this.pools.push(pool)
        this.#addQueue(pool, { name: 'default' })
        return ok(pool, 201)
      },
    ],
    [
      /^POST \/work_pools\/filter$/,
      ({ body }) => ok(page(this.pools, read(query.workPoolsQuery, body))),
    ],
    [/^GET \/work_pools\/([^/]+)$/, ({ parts }) => ok(this.#pool(parts[0]))],
    [
      /^PATCH \/work_pools\/([^/]+)$/,
      ({ parts, body }) => {
        Object.assign(this.#pool(parts[0]), read(pools.workPoolUpdate, body))
        return { status: 204 }
      },
    ],
    [
      /^DELETE \/work_pools\/([^/]+)$/,
      ({ parts }) => {
        remove(this.pools, this.#pool(parts[0]))
        return { status: 204 }
      },
    ],
    [
      /^POST \/work_pools\/([^/]+)\/queues$/,
      ({ parts, body }) =>
        ok(this.#addQueue(this.#pool(parts[0]), read(queues.workQueueCreate, body)), 201),
    ],
    [
      /^POST \/work_pools\/([^/]+)\/queues\/filter$/,
      ({ parts, body }) => {
        const pool = this.#pool(parts[0])
        const found = this.queues.filter(({ work_pool_id }) => work_pool_id === pool.id)
        return ok(page(found, read(query.workQueuesQuery, body)))
      },
    ],
    [
      /^GET \/work_pools\/([^/]+)\/queues\/([^/]+)$/,
      ({ parts }) => ok(this.#queue(parts[0], parts[1])),
    ],
    [
      /^PATCH \/work_pools\/([^/]+)\/queues\/([^/]+)$/,
      ({ parts, body }) => {
        Object.assign(this.#queue(parts[0], parts[1]), read(queues.workQueueUpdate, body))
        return { status: 204 }
      },
    ],
    [
      /^DELETE \/work_pools\/([^/]+)\/queues\/([^/]+)$/,
      ({ parts }) => {
        remove(this.queues, this.#queue(parts[0], parts[1]))
        return { status: 204 }
      },
    ],
    [
      /^POST \/work_pools\/([^/]+)\/workers\/filter$/,
      ({ body }) => ok(page([], read(query.workersQuery, body))),
    ],
    [
      /^POST \/flows\/$/,
      ({ body }) => {
        const { name } = read(flowCreate, body)
        const found = this.flows.find((flow) => flow.name === name)
        const flow = found ?? { ...this.#stored(), name, tags: [], labels: {} }
        if (found === undefined) {
          this.flows.push(flow)
        }
        return ok(flow, 201)
      },
    ],
    [
      /^POST \/flows\/filter$/,
      ({ body }) => {
        const given = read(query.flowsQuery, body)
        const ids = given.flows?.id?.any_
        return ok(
          page(
            this.flows.filter(({ id }) => ids?.includes(id) ?? true),
            given,
          ),
        )
      },
    ],
    [
      /^POST \/deployments\/$/,
      ({ body }) => {
        const given = read(deployments.deploymentCreate, body)
        const deployment = this.#makeDeployment(given)
        this.deployments.push(deployment)
        return ok(deployment, 201)
      },
    ],
    [
      /^POST \/deployments\/filter$/,
      ({ body }) => {
        const given = read(query.deploymentsQuery, body)
        const names = given.deployments?.name?.any_
        return ok(
          page(
            this.deployments.filter(({ name }) => names?.includes(name) ?? true),
            given,
          ),
        )
      },
    ],
    [
      /^GET \/deployments\/name\/([^/]+)\/([^/]+)$/,
      ({ parts }) => {
        const flow = this.flows.find(({ name }) => name === parts[0])
        return ok(
          must(this.deployments, ({ flow_id, name }) => flow_id === flow?.id && name === parts[1]),
        )
      },
    ],
    [/^GET \/deployments\/([^/]+)$/, ({ parts }) => ok(this.#deployment(parts[0]))],
    [
      /^PATCH \/deployments\/([^/]+)$/,
      ({ parts, body }) => {
        Object.assign(this.#deployment(parts[0]), read(deployments.deploymentUpdate, body))
        return { status: 204 }
      },
    ],
    [
      /^DELETE \/deployments\/([^/]+)$/,
      ({ parts }) => {
        remove(this.deployments, this.#deployment(parts[0]))
        return { status: 204 }
      },
    ],
    [
      /^POST \/deployments\/([^/]+)\/(pause|resume)_deployment$/,
      ({ parts }) => {
        this.#deployment(parts[0]).paused = parts[1] === 'pause'
        return ok(null)
      },
    ],
    [
      /^POST \/deployments\/([^/]+)\/create_flow_run$/,
      ({ parts, body }) => {
        const given = read(deployments.deploymentFlowRunCreate, body)
        const deployment = this.#deployment(parts[0])
        const run = this.addRun(
          {
            flow_id: deployment.flow_id,
            deployment_id: deployment.id,
            name: given.name ?? 'bright-otter',
            parameters: { ...deployment.parameters, ...given.parameters },
            tags: given.tags ?? [],
            work_pool_name: deployment.work_pool_name,
            work_queue_name: given.work_queue_name ?? deployment.work_queue_name,
          },
          { type: 'SCHEDULED' },
        )
        return ok(run, 201)
      },
    ],
    [
      /^GET \/deployments\/([^/]+)\/schedules$/,
      ({ parts }) => ok(this.#deployment(parts[0]).schedules),
    ],
    [
      /^POST \/deployments\/([^/]+)\/schedules$/,
      ({ parts, body }) => {
        const deployment = this.#deployment(parts[0])
        const made = read(schedules.deploymentScheduleCreate.array(), body).map((given) =>
          this.#makeSchedule(deployment.id, given),
        )
        deployment.schedules.push(...made)
        return ok(made, 201)
      },
    ],
    [
      /^PATCH \/deployments\/([^/]+)\/schedules\/([^/]+)$/,
      ({ parts, body }) => {
        const schedule = must(this.#deployment(parts[0]).schedules, ({ id }) => id === parts[1])
        Object.assign(schedule, read(schedules.deploymentScheduleUpdate, body))
        return { status: 204 }
      },
    ],
    [
      /^DELETE \/deployments\/([^/]+)\/schedules\/([^/]+)$/,
      ({ parts }) => {
        const list = this.#deployment(parts[0]).schedules
        remove(
          list,
          must(list, ({ id }) => id === parts[1]),
        )
        return { status: 204 }
      },
    ],
    [
      /^POST \/flow_runs\/filter$/,
      ({ body }) => {
        const given = read(query.flowRunsQuery, body)
        return ok(page(this.#matching(given).toReversed(), given))
      },
    ],
    [
      /^POST \/flow_runs\/count$/,
      ({ body }) => ok(this.#matching(read(query.flowRunsCount, body)).length),
    ],
    [
      /^POST \/task_runs\/filter$/,
      ({ body }) => {
        const given = read(query.taskRunsQuery, body)
        const ids = given.task_runs?.id?.any_
        return ok(
          page(
            this.taskRuns.filter(({ id }) => ids?.includes(id) ?? true),
            given,
          ),
        )
      },
    ],
    [/^GET \/flow_runs\/([^/]+)$/, ({ parts }) => ok(this.#run(parts[0]))],
    [
      /^DELETE \/flow_runs\/([^/]+)$/,
      ({ parts }) => {
        remove(this.runs, this.#run(parts[0]))
        return { status: 204 }
      },
    ],
    [
      /^POST \/flow_runs\/([^/]+)\/set_state$/,
      ({ parts, body }) => ok(this.#propose(this.#run(parts[0]), read(setState, body).state), 201),
    ],
    [
      /^GET \/flow_run_states\/$/,
      ({ url }) => {
        const id = url.searchParams.get('flow_run_id')
        return ok(this.states.filter(({ state_details }) => state_details.flow_run_id === id))
      },
    ],
    [
      /^POST \/logs\/filter$/,
      ({ body }) => {
        const given = read(query.logsQuery, body)
        const { flow_run_id, timestamp } = given.logs ?? {}
        const found = this.logs
          .filter((log) => flow_run_id?.any_?.includes(log.flow_run_id ?? '') ?? true)
          .filter((log) => log.timestamp >= (timestamp?.after_ ?? ''))
          .toSorted((a, b) => (a.timestamp < b.timestamp ? -1 : 1))
        return ok(page(given.sort === 'TIMESTAMP_DESC' ? found.toReversed() : found, given))
      },
    ],
  ]

  #matching({ flow_runs }: query.FlowRunsCount): FlowRun[] {
    const {
      state,
      name,
      expected_start_time: due,
      next_scheduled_start_time: next,
    } = flow_runs ?? {}
    return this.runs.filter(
      (run) =>
        (name?.any_?.includes(run.name) ?? true) &&
        (run.expected_start_time ?? '') <= (due?.before_ ?? '9') &&
        (run.next_scheduled_start_time ?? '') <= (next?.before_ ?? '9') &&
        (state?.type?.any_?.some((type) => type === run.state_type) ?? true) &&
        (state?.name?.any_?.includes(run.state_name ?? '') ?? true),
    )
  }

  /** The rules that the command line meets: ended runs are not cancelled, unbegun ones are so at once. */
  #propose(run: FlowRun, state: StateCreate) {
    const ended = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'].includes(run.state_type ?? '')
    if (state.type === 'CANCELLING' && ended) {
      const reason = `Run is already in terminal state ${run.state_type}.`
      return { state: run.state, status: 'ABORT', details: { type: 'abort_details', reason } }
    }
    if (state.type === 'CANCELLING' && run.state_type === 'SCHEDULED') {
      const details = { type: 'reject_details', reason: 'It has no infrastructure.' }
      return { state: this.setState(run, { type: 'CANCELLED' }), status: 'REJECT', details }
    }
    return {
      state: this.setState(run, state),
      status: 'ACCEPT',
      details: { type: 'accept_details' },
    }
  }

  #pool(name: string | undefined): pools.WorkPool {
    return must(this.pools, (pool) => pool.name === name)
  }

  #queue(pool: string | undefined, name: string | undefined): queues.WorkQueue {
    const { id } = this.#pool(pool)
    return must(this.queues, (queue) => queue.work_pool_id === id && queue.name === name)
  }

  #deployment(id: string | undefined): deployments.Deployment {
    return must(this.deployments, (deployment) => deployment.id === id)
  }

  #run(id: string | undefined): FlowRun {
    return must(this.runs, (run) => run.id === id)
  }

  #addQueue(pool: pools.WorkPool, given: queues.WorkQueueCreate): queues.WorkQueue {
    const queue: queues.WorkQueue = {
      ...this.#stored(),
      name: given.name,
      description: given.description ?? null,
      is_paused: given.is_paused ?? false,
      concurrency_limit: given.concurrency_limit ?? null,
      priority: given.priority ?? this.queues.length + 1,
      work_pool_id: pool.id,
      work_pool_name: pool.name,
      last_polled: null,
      status: 'NOT_READY',
      active_slots: 0,
    }
    this.queues.push(queue)
    return queue
  }

  #makeDeployment(given: deployments.DeploymentCreate): deployments.Deployment {
    const stored = this.#stored()
    return {
      ...stored,
      name: given.name,
      version: given.version ?? null,
      description: given.description ?? null,
      flow_id: given.flow_id,
      paused: given.paused ?? false,
      schedules: (given.schedules ?? []).map((entry) => this.#makeSchedule(stored.id, entry)),
      concurrency_limit: null,
      global_concurrency_limit: null,
      concurrency_options: given.concurrency_options ?? null,
      job_variables: given.job_variables ?? {},
      parameters: given.parameters ?? {},
      tags: given.tags ?? [],
      labels: given.labels ?? {},
      work_queue_name: given.work_queue_name ?? 'default',
      work_queue_id: randomUUID(),
      work_pool_name: given.work_pool_name ?? null,
      last_polled: null,
      parameter_openapi_schema: given.parameter_openapi_schema ?? null,
      path: given.path ?? null,
      pull_steps: given.pull_steps ?? null,
      entrypoint: given.entrypoint ?? null,
      storage_document_id: null,
      infrastructure_document_id: null,
      created_by: null,
      updated_by: null,
      status: 'NOT_READY',
      enforce_parameter_schema: given.enforce_parameter_schema ?? true,
    }
  }

  #makeSchedule(
    deploymentId: string,
    given: schedules.DeploymentScheduleCreate,
  ): schedules.DeploymentSchedule {
    return {
      ...this.#stored(),
      deployment_id: deploymentId,
      schedule: given.schedule,
      active: given.active ?? true,
      max_scheduled_runs: given.max_scheduled_runs ?? null,
      parameters: given.parameters ?? {},
      slug: given.slug ?? null,
    }
  }
}

interface Answer {
  status: number
  body?: unknown
}

interface Call {
  body: unknown
  url: URL
  parts: string[]
}

class Refusal extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('refused')
    this.answer = answer
  }
}

function read<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body)
  if (!result.success) {
    const exception_detail = result.error.issues.map(({ path, message, code }) => ({
      loc: ['body', ...path],
      msg: message,
      type: code,
    }))
    throw new Refusal({
      status: 422,
      body: { exception_message: 'Invalid request received.', exception_detail },
    })
  }
  return result.data
}

function ok(body: unknown, status = 200): Answer {
  return { status, body }
}

function refuse(status: number, detail: string): Answer {
  return { status, body: { detail } }
}

function must<T>(list: readonly T[], fits: (item: T) => boolean): T {
  const found = list.find((item) => fits(item))
  if (found === undefined) {
    throw new Refusal(refuse(404, 'not found'))
  }
  return found
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1)
}

function page<T>(
  list: readonly T[],
  { limit, offset }: { limit?: number | null | undefined; offset?: number | null | undefined },
): T[] {
  const start = offset ?? 0
  return list.slice(start, start + (limit ?? 200))
}

function aFlowRun(values: Partial<FlowRun> & { id: string; flow_id: string }): FlowRun {
  const now = formatTimestamp(Date.now() * 1000)
  return {
    created: now,
    updated: now,
    name: 'bright-otter',
    deployment_id: null,
    deployment_version: null,
    work_queue_id: null,
    work_queue_name: null,
    work_pool_id: null,
    work_pool_name: null,
    flow_version: null,
    parameters: {},
    idempotency_key: null,
    context: {},
    empirical_policy: {
      max_retries: 0,
      retry_delay_seconds: 0,
      retries: null,
      retry_delay: null,
      pause_keys: null,
      resuming: null,
      retry_type: null,
      infrastructure_retries: null,
    },
    tags: [],
    labels: {},
    parent_task_run_id: null,
    state_id: null,
    state_type: null,
    state_name: null,
    state: null,
    run_count: 0,
    expected_start_time: now,
    next_scheduled_start_time: null,
    start_time: null,
    end_time: null,
    total_run_time: 0,
    estimated_run_time: 0,
    estimated_start_time_delta: 0,
    auto_scheduled: false,
    infrastructure_document_id: null,
    infrastructure_pid: null,
    created_by: null,
    job_variables: null,
    ...values,
  }
}

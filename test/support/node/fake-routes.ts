// oxlint-disable no-underscore-dangle -- the names of the wire: any_, after_
import * as z from 'zod'
import { flowRunsCreate } from '../../../core/wire/bulk.ts'
import * as deployments from '../../../core/wire/deployment.ts'
import { event } from '../../../core/wire/event.ts'
import { flowCreate } from '../../../core/wire/flow.ts'
import { type FlowRun, flowRunCreate, flowRunUpdate } from '../../../core/wire/flow-run.ts'
import { logCreate } from '../../../core/wire/log.ts'
import * as query from '../../../core/wire/query.ts'
import * as schedules from '../../../core/wire/schedule.ts'
import { setState } from '../../../core/wire/state.ts'
import { taskRunCreate } from '../../../core/wire/task-run.ts'
import * as pools from '../../../core/wire/work-pool.ts'
import * as queues from '../../../core/wire/work-queue.ts'
import { DEFAULT_POLICY } from '../../../worker/domain/flow-run.ts'
import type { FakeStore } from './fake-store.ts'
import { aDeployment, newUuid } from './wire-objects.ts'

export interface Answer {
  status: number
  body?: unknown
}

export interface Call {
  body: unknown
  url: URL
  /** What the route's pattern captured. */
  parts: string[]
}

/** By `METHOD /path`. */
export type Routes = [RegExp, (call: Call) => Answer][]

/** An answer that is not the one asked for. */
export class Refusal extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('refused')
    this.answer = answer
  }
}

/**
 * The API's routes that running code, the agent's commands and the SDK call. Every body is read with the wire's own strict
 * schema, so one that the real API would refuse is refused here too.
 */
export function fakeRoutes(store: FakeStore): Routes {
  return [
    ...poolRoutes(store),
    ...deploymentRoutes(store),
    ...scheduleRoutes(store),
    ...flowRunRoutes(store),
    ...recordRoutes(store),
  ]
}

function poolRoutes(store: FakeStore): Routes {
  const getPool = (name: string | undefined) => must(store.pools, (pool) => pool.name === name)
  const getQueue = (pool: string | undefined, name: string | undefined) => {
    const { id } = getPool(pool)
    return must(store.queues, (queue) => queue.work_pool_id === id && queue.name === name)
  }
  return [
    [/^POST \/work_pools\/count$/, () => ok(store.pools.length)],
    [
      /^POST \/work_pools\/$/,
      ({ body }) => {
        const given = read(pools.workPoolCreate, body)
        return store.pools.some(({ name }) => name === given.name)
          ? refuse(409, `Work pool with name '${given.name}' already exists.`)
          : ok(store.addPool(given), 201)
      },
    ],
    [
      /^POST \/work_pools\/filter$/,
      ({ body }) => ok(page(store.pools, read(query.workPoolsQuery, body))),
    ],
    [/^GET \/work_pools\/([^/]+)$/, ({ parts }) => ok(getPool(parts[0]))],
    [
      /^PATCH \/work_pools\/([^/]+)$/,
      ({ parts, body }) => change(getPool(parts[0]), read(pools.workPoolUpdate, body)),
    ],
    [/^DELETE \/work_pools\/([^/]+)$/, ({ parts }) => remove(store.pools, getPool(parts[0]))],
    [
      /^POST \/work_pools\/([^/]+)\/queues$/,
      ({ parts, body }) =>
        ok(store.addQueue(getPool(parts[0]), read(queues.workQueueCreate, body)), 201),
    ],
    [
      /^POST \/work_pools\/([^/]+)\/queues\/filter$/,
      ({ parts, body }) => {
        const pool = getPool(parts[0])
        const found = store.queues.filter(({ work_pool_id }) => work_pool_id === pool.id)
        return ok(page(found, read(query.workQueuesQuery, body)))
      },
    ],
    [
      /^GET \/work_pools\/([^/]+)\/queues\/([^/]+)$/,
      ({ parts }) => ok(getQueue(parts[0], parts[1])),
    ],
    [
      /^PATCH \/work_pools\/([^/]+)\/queues\/([^/]+)$/,
      ({ parts, body }) => change(getQueue(parts[0], parts[1]), read(queues.workQueueUpdate, body)),
    ],
    [
      /^DELETE \/work_pools\/([^/]+)\/queues\/([^/]+)$/,
      ({ parts }) => remove(store.queues, getQueue(parts[0], parts[1])),
    ],
    [
      /^POST \/work_pools\/([^/]+)\/workers\/filter$/,
      ({ body }) => ok(page([], read(query.workersQuery, body))),
    ],
  ]
}

function deploymentRoutes(store: FakeStore): Routes {
  const get = (id: string | undefined) => must(store.deployments, (one) => one.id === id)
  const createFlowRun = (
    deployment: deployments.Deployment,
    given: deployments.DeploymentFlowRunCreate,
  ) =>
    store.addFlowRun(
      {
        flow_id: deployment.flow_id,
        deployment_id: deployment.id,
        name: given.name ?? 'bright-otter',
        parameters: { ...deployment.parameters, ...given.parameters },
        tags: given.tags ?? [],
        parent_task_run_id: given.parent_task_run_id ?? null,
        work_pool_name: deployment.work_pool_name,
        work_queue_name: given.work_queue_name ?? deployment.work_queue_name,
      },
      given.state ?? { type: 'SCHEDULED' },
    )
  return [
    [/^POST \/flows\/$/, ({ body }) => ok(store.flow(read(flowCreate, body).name), 201)],
    [
      /^POST \/flows\/filter$/,
      ({ body }) => {
        const given = read(query.flowsQuery, body)
        const found = store.flows.filter(({ id }) => isAny(given.flows?.id?.any_, id))
        return ok(page(found, given))
      },
    ],
    [
      /^POST \/deployments\/$/,
      ({ body }) => {
        const { schedules: given, ...fields } = read(deployments.deploymentCreate, body)
        const deployment = aDeployment({ ...store.stored(), work_queue_id: newUuid() })
        if (fields.work_pool_name != null) {
          deployment.work_queue_name = 'default'
        }
        Object.assign(deployment, givenOf(fields))
        deployment.schedules = (given ?? []).map((one) => store.toSchedule(deployment.id, one))
        store.deployments.push(deployment)
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
            store.deployments.filter(({ name }) => isAny(names, name)),
            given,
          ),
        )
      },
    ],
    [
      /^POST \/deployments\/get_scheduled_flow_runs$/,
      ({ body }) => {
        const wanted = read(scheduledRunsQuery, body)
        const found = store.flowRuns.filter(
          (run) =>
            run.state_type === 'SCHEDULED' &&
            run.state_name !== 'AwaitingRetry' &&
            wanted.deployment_ids.includes(run.deployment_id ?? ''),
        )
        return ok(page(found, wanted))
      },
    ],
    [
      /^GET \/deployments\/name\/([^/]+)\/([^/]+)$/,
      ({ parts }) => {
        const flow = store.flows.find(({ name }) => name === parts[0])
        return ok(
          must(store.deployments, (one) => one.flow_id === flow?.id && one.name === parts[1]),
        )
      },
    ],
    [/^GET \/deployments\/([^/]+)$/, ({ parts }) => ok(get(parts[0]))],
    [
      /^PATCH \/deployments\/([^/]+)$/,
      ({ parts, body }) => change(get(parts[0]), read(deploymentUpdate, body)),
    ],
    [/^DELETE \/deployments\/([^/]+)$/, ({ parts }) => remove(store.deployments, get(parts[0]))],
    [
      /^POST \/deployments\/([^/]+)\/(pause|resume)_deployment$/,
      ({ parts }) => {
        get(parts[0]).paused = parts[1] === 'pause'
        return ok(null)
      },
    ],
    [
      /^POST \/deployments\/([^/]+)\/create_flow_run$/,
      ({ parts, body }) => {
        const given = read(deployments.deploymentFlowRunCreate, body)
        return ok(createFlowRun(get(parts[0]), given), 201)
      },
    ],
    [
      /^POST \/deployments\/([^/]+)\/create_flow_runs$/,
      ({ parts, body }) => {
        const deployment = get(parts[0])
        const made = read(flowRunsCreate, body).flow_runs.map((one) =>
          createFlowRun(deployment, one),
        )
        return ok({ flow_runs: made.map(({ id }) => ({ id, created: true })) })
      },
    ],
  ]
}

const scheduledRunsQuery = z.strictObject({
  deployment_ids: z.array(z.string()),
  scheduled_before: z.string().optional(),
  limit: z.int().optional(),
})

/** Schedules are changed by their own routes: sent here they would have to be matched to those that are there. */
const deploymentUpdate = deployments.deploymentUpdate.omit({ schedules: true })

function scheduleRoutes(store: FakeStore): Routes {
  const list = (id: string | undefined) => must(store.deployments, (one) => one.id === id).schedules
  const get = ([deployment, schedule]: string[]) =>
    must(list(deployment), ({ id }) => id === schedule)
  return [
    [/^GET \/deployments\/([^/]+)\/schedules$/, ({ parts }) => ok(list(parts[0]))],
    [
      /^POST \/deployments\/([^/]+)\/schedules$/,
      ({ parts, body }) => {
        const [id = ''] = parts
        const given = read(schedules.deploymentScheduleCreate.array(), body)
        const made = given.map((one) => store.toSchedule(id, one))
        list(id).push(...made)
        return ok(made, 201)
      },
    ],
    [
      /^PATCH \/deployments\/([^/]+)\/schedules\/([^/]+)$/,
      ({ parts, body }) => change(get(parts), read(schedules.deploymentScheduleUpdate, body)),
    ],
    [
      /^DELETE \/deployments\/([^/]+)\/schedules\/([^/]+)$/,
      ({ parts }) => remove(list(parts[0]), get(parts)),
    ],
  ]
}

function flowRunRoutes(store: FakeStore): Routes {
  const get = (id: string | undefined) => must(store.flowRuns, (run) => run.id === id)
  return [
    [
      /^POST \/flow_runs\/$/,
      ({ body }) => {
        const { state, empirical_policy, ...fields } = read(flowRunCreate, body)
        const same = store.flowRuns.find(
          ({ idempotency_key: key }) => key !== null && key === fields.idempotency_key,
        )
        const policy = { ...DEFAULT_POLICY, ...givenOf(empirical_policy ?? {}) }
        const made = { ...givenOf(fields), empirical_policy: policy } as Partial<FlowRun>
        return ok(same ?? store.addFlowRun(made, state ?? { type: 'PENDING' }), 201)
      },
    ],
    [
      /^POST \/flow_runs\/filter$/,
      ({ body }) => {
        const given = read(query.flowRunsQuery, body)
        return ok(page(matching(store, given).toReversed(), given))
      },
    ],
    [
      /^POST \/flow_runs\/count$/,
      ({ body }) => ok(matching(store, read(query.flowRunsCount, body)).length),
    ],
    [/^GET \/flow_runs\/([^/]+)$/, ({ parts }) => ok(get(parts[0]))],
    [
      /^PATCH \/flow_runs\/([^/]+)$/,
      ({ parts, body }) => {
        const { empirical_policy } = read(flowRunUpdate, body)
        return change(get(parts[0]).empirical_policy, empirical_policy ?? {})
      },
    ],
    [/^DELETE \/flow_runs\/([^/]+)$/, ({ parts }) => remove(store.flowRuns, get(parts[0]))],
    [
      /^POST \/flow_runs\/([^/]+)\/set_state$/,
      ({ parts, body }) => ok(store.setState(get(parts[0]), read(setState, body).state), 201),
    ],
    [
      /^GET \/flow_run_states\/$/,
      ({ url }) => {
        const id = url.searchParams.get('flow_run_id')
        const states = store.states.filter(({ flowRunId }) => flowRunId === id)
        return ok(states.map(({ state }) => state))
      },
    ],
  ]
}

function matching(store: FakeStore, { flow_runs: wanted }: query.FlowRunsCount): FlowRun[] {
  return store.flowRuns.filter(
    (run) =>
      isAny(wanted?.id?.any_, run.id) &&
      isAny(wanted?.name?.any_, run.name) &&
      isAny(wanted?.state?.type?.any_, run.state_type ?? '') &&
      isAny(wanted?.state?.name?.any_, run.state_name ?? '') &&
      isAny(wanted?.parent_task_run_id?.any_, run.parent_task_run_id ?? '') &&
      (run.expected_start_time ?? '') <= (wanted?.expected_start_time?.before_ ?? '9') &&
      (run.next_scheduled_start_time ?? '') <= (wanted?.next_scheduled_start_time?.before_ ?? '9'),
  )
}

function recordRoutes(store: FakeStore): Routes {
  return [
    [/^POST \/task_runs\/$/, ({ body }) => ok(store.addTaskRun(read(taskRunCreate, body)), 201)],
    [
      /^POST \/task_runs\/filter$/,
      ({ body }) => {
        const given = read(query.taskRunsQuery, body)
        const found = store.taskRuns.filter(({ id }) => isAny(given.task_runs?.id?.any_, id))
        return ok(page(found, given))
      },
    ],
    [
      /^POST \/logs\/$/,
      ({ body }) => {
        store.addLogs(read(z.array(logCreate), body))
        return ok(null, 201)
      },
    ],
    [
      /^POST \/logs\/filter$/,
      ({ body }) => {
        const given = read(query.logsQuery, body)
        const { flow_run_id, timestamp } = given.logs ?? {}
        const found = store.logs
          .filter((log) => isAny(flow_run_id?.any_, log.flow_run_id ?? ''))
          .filter((log) => log.timestamp >= (timestamp?.after_ ?? ''))
          .toSorted((a, b) => (a.timestamp < b.timestamp ? -1 : 1))
        return ok(page(given.sort === 'TIMESTAMP_DESC' ? found.toReversed() : found, given))
      },
    ],
    [
      /^POST \/events\/?$/,
      ({ body }) => {
        store.addEvents(read(z.array(event), body))
        return { status: 204 }
      },
    ],
  ]
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

export function refuse(status: number, detail: string): Answer {
  return { status, body: { detail } }
}

/** Sets what a request names. */
function change(object: object, fields: object): Answer {
  Object.assign(object, fields)
  return { status: 204 }
}

/** What of these fields is not null. */
function givenOf(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null))
}

function isAny(any: readonly string[] | null | undefined, value: string): boolean {
  return any?.includes(value) ?? true
}

function must<T>(list: readonly T[], fits: (item: T) => boolean): T {
  const found = list.find((item) => fits(item))
  if (found === undefined) {
    throw new Refusal(refuse(404, 'not found'))
  }
  return found
}

function remove<T>(list: T[], item: T): Answer {
  list.splice(list.indexOf(item), 1)
  return { status: 204 }
}

function page<T>(
  list: readonly T[],
  { limit, offset }: { limit?: number | null | undefined; offset?: number | null | undefined },
): T[] {
  const start = offset ?? 0
  return list.slice(start, start + (limit ?? 200))
}

import * as z from 'zod'
import { objectName } from '#core/wire/common.ts'
import {
  accept,
  acceptResult,
  claim,
  claimResult,
  finish,
  finishResult,
  renew,
  renewResult,
  type Claim,
  type ClaimResult,
} from '#core/wire/execution.ts'
import { scheduledFlowRunsQuery, workerFlowRun } from '#core/wire/work-queue.ts'
import { DomainError } from '#domain/errors.ts'
import { workPoolHome, type WorkPoolHome } from '../operations/work-pool-home.ts'
import { endpoint, nameParam, type Api } from './endpoint.ts'
import { openDoorbell, waitForRing } from './doorbell.ts'

const tag = 'Executions'

/** The agent's link to the home of its pool, and the polls of Prefect's own worker. */
export function addExecutionRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{name}/claim',
      tag,
      summary: 'Claim runs; with `wait_seconds` a long poll',
      params: nameParam,
      body: claim,
      answers: { 200: claimResult },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params, body }) => {
      const home = await workPoolHome(workspace, params.name)
      return { status: 200, body: await claimOrWait(home, body) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{name}/accept',
      tag,
      summary: 'Accept claimed runs; nothing is started without `go`',
      params: nameParam,
      body: accept,
      answers: { 200: acceptResult },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params, body }) => {
      const home = await workPoolHome(workspace, params.name)
      return { status: 200, body: await home.stub.accept(home.context, body) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{name}/renew',
      tag,
      summary: "Renew an agent's leases; also its heartbeat",
      params: nameParam,
      body: renew,
      answers: { 200: renewResult },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params, body }) => {
      const home = await workPoolHome(workspace, params.name)
      return { status: 200, body: await home.stub.renew(home.context, body) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{name}/finish',
      tag,
      summary: 'Report executions whose processes are gone',
      params: nameParam,
      body: finish,
      answers: { 200: finishResult },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params, body }) => {
      const home = await workPoolHome(workspace, params.name)
      return { status: 200, body: await home.stub.finish(home.context, body) }
    },
  )
  addDoorbellRoute(api)
  addPollRoute(api)
}

function addDoorbellRoute(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/work_pools/{name}/doorbell',
      tag,
      summary:
        'Wait for runs on a WebSocket: `work` says claim, `renew` says renew; ping each 20 s',
      params: nameParam,
      // `queue` may be repeated; the home reads it from the address.
      query: z.object({
        agent_id: z.string(),
        agent_name: objectName.optional(),
        version: z.string().optional(),
        queue: z.string().optional(),
      }),
      answers: { 200: null },
      errors: [400, 404],
    },
    async ({ workspace, params, query, context }) => {
      if (context.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
        throw new DomainError(
          'bad_request',
          'The doorbell is a WebSocket: send `Upgrade: websocket`.',
        )
      }
      const home = await workPoolHome(workspace, params.name)
      const queues = context.req.queries('queue') ?? []
      const agent = { id: query.agent_id, name: query.agent_name ?? null }
      return { response: await openDoorbell(home, agent, queues) }
    },
  )
}

function addPollRoute(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/work_pools/{name}/get_scheduled_flow_runs',
      tag: 'Work pools',
      summary: "List the runs that Prefect's worker may propose `Pending` for",
      params: nameParam,
      body: scheduledFlowRunsQuery,
      bodyOptional: true,
      answers: { 200: z.array(workerFlowRun) },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, params, body }) => {
      const home = await workPoolHome(workspace, params.name)
      const runs = await home.stub.scheduledFlowRuns(home.context, body)
      return { status: 200, body: known(runs, params.name) }
    },
  )
}

/**
 * Claims; with nothing there the request waits here, in the stateless Worker, whose waiting is free, and holds the doorbell for
 * the agent.
 */
async function claimOrWait(home: WorkPoolHome, request: Claim): Promise<ClaimResult> {
  const first = known(await home.stub.claim(home.context, request), home.name)
  const waitSeconds = request.wait_seconds ?? 0
  if (first.runs.length > 0 || waitSeconds === 0) {
    return first
  }
  const rung = await waitForRing(home, request, waitSeconds)
  return rung === 'work'
    ? known(await home.stub.claim(home.context, request), home.name)
    : { ...first, renew: rung === 'renew' }
}

function known<T extends object>(result: T | { unknown_queue: string }, pool: string): T {
  if ('unknown_queue' in result) {
    throw new DomainError(
      'not_found',
      `Work queue '${result.unknown_queue}' not found in work pool '${pool}'.`,
    )
  }
  return result
}

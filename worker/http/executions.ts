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
  type RenewResult,
} from '#core/wire/execution.ts'
import { scheduledFlowRunsQuery, workerFlowRun } from '#core/wire/work-queue.ts'
import { problem } from '#core/wire/problem.ts'
import { DomainError } from '#domain/errors.ts'
import type { Workspace } from '#storage/workspace.ts'
import { askHomes } from '../operations/executions-by-home.ts'
import {
  forgetWorkPool,
  servedHome,
  workPoolHome,
  type WorkPoolHome,
} from '../operations/work-pool-home.ts'
import { identifyAnew, type Caller } from './auth.ts'
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
      answers: { 200: claimResult, 410: problem },
      errors: [404],
      survivesOutage: true,
    },
    async ({ workspace, caller, params, body, context }) => {
      const poll = { keyId: keyIdOf(caller), requireKnown: () => identifyAnew(context) }
      const result = await claimServed(workspace, params.name, body, poll)
      return result === 'gone'
        ? { status: 410, body: { detail: `Work pool "${params.name}" was deleted.` } }
        : { status: 200, body: result }
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
      const { executions } = body
      const results = await askHomes(workspace, params.name, executions, async (home, own) => {
        const answer = await home.stub.accept(home.context, { ...body, executions: own })
        return answer.results
      })
      return { status: 200, body: { results } }
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
      const answers: RenewResult[] = []
      const { executions } = body
      const results = await askHomes(workspace, params.name, executions, async (home, own) => {
        const answer = await home.stub.renew(home.context, { ...body, executions: own })
        answers.push(answer)
        return answer.results
      })
      const [first] = answers
      if (first === undefined) {
        throw new Error('a renewal that no home has answered')
      }
      const missing = answers.flatMap((answer) => answer.missing ?? [])
      return {
        status: 200,
        body: { ...first, results, ...(body.reconcile === true ? { missing } : {}) },
      }
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
      const { executions } = body
      const results = await askHomes(workspace, params.name, executions, async (home, own) => {
        const answer = await home.stub.finish(home.context, { ...body, executions: own })
        return answer.results
      })
      return { status: 200, body: { results } }
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
      survivesOutage: true,
    },
    async ({ workspace, caller, params, query, context }) => {
      if (context.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
        throw new DomainError(
          'bad_request',
          'The doorbell is a WebSocket: send `Upgrade: websocket`.',
        )
      }
      const home = await workPoolHome(workspace, params.name)
      const queues = context.req.queries('queue') ?? []
      const agent = {
        id: query.agent_id,
        name: query.agent_name ?? null,
        key_id: keyIdOf(caller),
      }
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

/** Who polls. */
interface Poll {
  keyId: string | null
  /** Throws when the key has been revoked meanwhile. */
  requireKnown: () => Promise<unknown>
}

function keyIdOf(caller: Caller): string | null {
  return caller.kind === 'key' ? caller.id : null
}

/** A pool that its home knows to be deleted is looked for once more: another may have its name. */
async function claimServed(
  workspace: Workspace,
  name: string,
  request: Claim,
  poll: Poll,
): Promise<ClaimResult | 'gone'> {
  const id = request.work_pool_id ?? null
  const home = await servedHome(workspace, name, id)
  const first = home === undefined ? 'gone' : await claimOrWait(home, request, poll)
  if (first !== 'gone') {
    return first
  }
  forgetWorkPool(workspace, name)
  const again = await servedHome(workspace, name, id)
  return again === undefined ? 'gone' : await claimOrWait(again, request, poll)
}

/**
 * Claims; with nothing there the request waits here, in the stateless Worker, whose waiting is free, and holds the doorbell for
 * the agent.
 */
async function claimOrWait(
  home: WorkPoolHome,
  request: Claim,
  poll: Poll,
): Promise<ClaimResult | 'gone'> {
  const claimed = await home.stub.claim(home.context, request)
  if ('gone' in claimed) {
    return 'gone'
  }
  const first = known(claimed, home.name)
  const waitSeconds = request.wait_seconds ?? 0
  if (first.runs.length > 0 || waitSeconds === 0) {
    return first
  }
  const rung = await waitForRing(home, request, poll.keyId, waitSeconds)
  if (rung !== 'work') {
    return { ...first, renew: rung === 'renew' }
  }
  await poll.requireKnown()
  const second = await home.stub.claim(home.context, request)
  return 'gone' in second ? 'gone' : known(second, home.name)
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

import { flowRunId, homeKeyOf } from '#core/flow-run-id.ts'
import type { Micros } from '#core/time.ts'
import type { FlowRunsCreated } from '#core/wire/bulk.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { DeploymentFlowRunCreate } from '#core/wire/deployment.ts'
import { DomainError } from '#domain/errors.ts'
import { jsonBytes } from '#domain/json-size.ts'
import { readHomeDeployment, type HomeDeployment } from '#storage/deployments.ts'
import { reserveIdempotencyKeys } from '#storage/idempotency-keys.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { NewFlowRun } from '../durable/work-pool.ts'
import { homeContext } from './configure-home.ts'
import {
  judgeRequest,
  queueOf,
  runOfDeployment,
  templateOf,
  type Maker,
} from './create-flow-run.ts'
import { homeStub } from './stubs.ts'

/** A call to an object carries 32 MB; its defaults make a run larger than its request was. */
const MAX_BYTES = 16_000_000

/**
 * Makes many runs of a deployment, all or none: each is judged before anything is written. They go to their home in one call
 * and to the store in one group commit. Idempotent by the items' keys, as one alone is.
 */
export async function createFlowRunsFromDeployment(
  workspace: Workspace,
  maker: Maker,
  deploymentId: string,
  items: readonly DeploymentFlowRunCreate[],
  now: Micros,
): Promise<FlowRunsCreated['flow_runs']> {
  const config = await readHomeDeployment(workspace, deploymentId)
  if (config === undefined) {
    throw new DomainError('not_found', 'Deployment not found')
  }
  const parameters = await judgeAll(workspace, config, items)
  const queues = await queuesOf(workspace, config, items, now)
  const minted = items.map(() =>
    flowRunId(config.home_key, Math.floor(now / 1000), crypto.getRandomValues(new Uint8Array(10))),
  )
  const ids = await reserved(workspace, config, items, minted, now)
  // Ids that an earlier request reserved may name another home, and two items one key.
  const requests = new Map<string, NewFlowRun>()
  for (const [index, body] of items.entries()) {
    const id = ids[index] ?? ''
    if (!requests.has(id)) {
      const asked = {
        body,
        parameters: parameters[index] ?? {},
        queueId: queues.get(body.work_queue_name ?? null) ?? null,
      }
      requests.set(id, runOfDeployment(config, maker, asked, id, now))
    }
  }
  const created = await makeAtHomes(workspace, requests, new Set(minted))
  return ids.map((id) => ({ id, created: created.delete(id) }))
}

/** The parameters of each run. */
async function judgeAll(
  workspace: Workspace,
  config: HomeDeployment,
  items: readonly DeploymentFlowRunCreate[],
): Promise<JsonObject[]> {
  const template = items.some((body) => body.job_variables)
    ? await templateOf(workspace, config)
    : null
  const parameters: JsonObject[] = []
  let bytes = 0
  for (const [index, body] of items.entries()) {
    try {
      // In turn, since templates in them may ask the store.
      // oxlint-disable-next-line no-await-in-loop
      const own = await judgeRequest(workspace, config, template, body)
      parameters.push(own)
      bytes += jsonBytes([own, body.context ?? null, body.job_variables ?? null])
    } catch (error) {
      throw inItem(error, index)
    }
  }
  if (bytes > MAX_BYTES) {
    throw new DomainError(
      'invalid',
      `With the deployment's defaults these runs have ${bytes} bytes, and one request makes ${MAX_BYTES} at most; make them in several requests.`,
      { field: ['flow_runs'] },
    )
  }
  return parameters
}

/** The same fault, with its item named. */
function inItem(error: unknown, index: number): unknown {
  return error instanceof DomainError && error.code !== 'unavailable'
    ? new DomainError('invalid', `Flow run ${index}: ${error.message}`, {
        cause: error,
        field: ['flow_runs', index, ...error.field],
      })
    : error
}

async function queuesOf(
  workspace: Workspace,
  config: HomeDeployment,
  items: readonly DeploymentFlowRunCreate[],
  now: Micros,
): Promise<Map<string | null, string | null>> {
  const queues = new Map<string | null, string | null>()
  for (const name of new Set(items.map((body) => body.work_queue_name ?? null))) {
    // oxlint-disable-next-line no-await-in-loop -- a new queue moves others of its pool
    queues.set(name, await queueOf(workspace, config, name, now))
  }
  return queues
}

async function reserved(
  workspace: Workspace,
  config: HomeDeployment,
  items: readonly DeploymentFlowRunCreate[],
  minted: readonly string[],
  now: Micros,
): Promise<string[]> {
  const wanted = items.flatMap(({ idempotency_key: key }, index) =>
    key ? [{ key, flow_run_id: minted[index] ?? '' }] : [],
  )
  const known = await reserveIdempotencyKeys(workspace, config.flow.id, wanted, now)
  return items.map(
    ({ idempotency_key: key }, index) => (key ? known.get(key) : undefined) ?? minted[index] ?? '',
  )
}

/** @returns the ids of those that were not there before */
async function makeAtHomes(
  workspace: Workspace,
  requests: ReadonlyMap<string, NewFlowRun>,
  fresh: ReadonlySet<string>,
): Promise<Set<string>> {
  const groups = Map.groupBy(requests.values(), ({ record }) => homeKeyOf(record.id))
  const made = await Promise.all(
    [...groups].map(async ([key, own]) => {
      const known = own.map(({ record }) => record.id).filter((id) => !fresh.has(id))
      return await homeStub(workspace, key).createManyFlowRuns(
        homeContext(workspace, key),
        own,
        known,
      )
    }),
  )
  return new Set(made.flat())
}

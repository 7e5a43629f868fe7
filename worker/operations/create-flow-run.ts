import { flowRunId, homeKeyOf, type HomeKey } from '#core/flow-run-id.ts'
import { generateName } from '#core/name.ts'
import { mergeParameters, validateParameters } from '#core/parameters.ts'
import type { Micros } from '#core/time.ts'
import type { CreatedBy, JsonObject } from '#core/wire/common.ts'
import type { DeploymentFlowRunCreate } from '#core/wire/deployment.ts'
import type { FlowRun, FlowRunCreate } from '#core/wire/flow-run.ts'
import { requestedKey, startBefore } from '#domain/concurrency-key.ts'
import { DomainError } from '#domain/errors.ts'
import { DEFAULT_POLICY, type FlowRunRecord, newFlowRunRecord } from '#domain/flow-run.ts'
import type { HomeDeployment } from '#storage/deployments.ts'
import { checkJsonSize, checkStateSize } from '#domain/json-size.ts'
import { refuseIssues } from '#domain/refused.ts'
import { pickPoollessHome } from '#storage/homes.ts'
import { reserveIdempotencyKey } from '#storage/idempotency-keys.ts'
import { readHomeWorkPoolByName } from '#storage/work-pools.ts'
import { findWorkQueueByName } from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { NewFlowRun } from '../durable/work-pool.ts'
import { ensureWorkQueue } from './change-work-queue.ts'
import { homeContext } from './configure-home.ts'
import { checkJobVariables } from './check-job-variables.ts'
import { hydrateRequest } from './hydrate-parameters.ts'
import { hydrateTemplate } from './hydrate-template.ts'
import { readDeploymentToRun } from './read-deployment.ts'
import { readFlow } from './read-flow.ts'
import { noteFlowRun } from './run-lineage.ts'
import { homeStub } from './stubs.ts'

/** Who asks for a run. */
export type Maker =
  | { kind: 'key' | 'user'; id: string; name: string }
  | { kind: 'run'; flow_run_id: string }
  | { kind: 'automation'; id: string; name: string }

const MAKER_TYPES = { key: 'API_KEY', user: 'USER', automation: 'AUTOMATION' }

export interface CreatedFlowRun {
  run: FlowRun
  /** False: the idempotency key had its run already. */
  created: boolean
}

/**
 * Makes a run of a flow: one that the caller runs itself, or one that waits in a pool. Idempotent by
 * `(flow_id, idempotency_key)`: the key is reserved in the store before the run is made, so that a repeated request finds
 * either the run or its reserved id.
 */
export async function createFlowRun(
  workspace: Workspace,
  maker: Maker,
  body: FlowRunCreate,
  now: Micros,
): Promise<CreatedFlowRun> {
  checkSizes(body.parameters ?? {}, body)
  const flow = await readFlow(workspace, body.flow_id)
  if (flow === undefined) {
    throw new DomainError('not_found', 'Flow not found')
  }
  const pool = body.work_pool_name
    ? await readHomeWorkPoolByName(workspace, body.work_pool_name)
    : undefined
  if (body.work_pool_name && pool === undefined) {
    throw new DomainError('not_found', `Work pool "${body.work_pool_name}" not found.`)
  }
  if (pool !== undefined && body.job_variables) {
    const template = await hydrateTemplate(workspace, pool.pool.base_job_template)
    checkJobVariables(template, [body.job_variables], 'creating')
  }
  const queueId =
    pool === undefined
      ? null
      : body.work_queue_name
        ? await getQueueId(workspace, pool.pool.name, body.work_queue_name, now)
        : pool.pool.default_queue_id
  const home = pool?.home_key ?? (await pickPoollessHome(workspace, crypto.randomUUID()))
  return await make(workspace, home, body.idempotency_key ?? null, now, (id) => ({
    record: {
      ...newFlowRunRecord(id, now),
      created_by: createdBy(maker),
      name: nameOf(body),
      flow_id: flow.id,
      deployment_id: body.deployment_id ?? null,
      work_pool_id: pool?.pool.id ?? null,
      work_queue_id: queueId,
      flow_version: body.flow_version ?? null,
      parameters: body.parameters ?? {},
      idempotency_key: body.idempotency_key ?? null,
      context: body.context ?? {},
      empirical_policy: policyOf(body.empirical_policy),
      tags: unique(body.tags ?? []),
      labels: {
        ...flow.labels,
        'prefect.flow.id': flow.id,
        ...(body.deployment_id ? { 'prefect.deployment.id': body.deployment_id } : {}),
        ...body.labels,
      },
      parent_task_run_id: body.parent_task_run_id ?? null,
      job_variables: body.job_variables ?? {},
      start_before: body.start_before ?? null,
    },
    flow_name: flow.name,
    deployment_name: null,
    state: body.state ?? null,
  }))
}

/** Makes a run of a deployment: its defaults overlaid by the request, validated, at the home of its work pool. */
export async function createFlowRunFromDeployment(
  workspace: Workspace,
  maker: Maker,
  deploymentId: string,
  body: DeploymentFlowRunCreate,
  now: Micros,
): Promise<CreatedFlowRun> {
  const config = await readDeploymentToRun(workspace, deploymentId)
  if (config === undefined) {
    throw new DomainError('not_found', 'Deployment not found')
  }
  const template = body.job_variables ? await templateOf(workspace, config) : null
  const parameters = await judgeRequest(workspace, config, template, body)
  const queueId = await queueOf(workspace, config, body.work_queue_name ?? null, now)
  const asked = { body, parameters, queueId }
  return await make(workspace, config.home_key, body.idempotency_key ?? null, now, (id) =>
    runOfDeployment(config, maker, asked, id, now),
  )
}

/**
 * Judges what is asked of a new run of a deployment, before anything is written.
 * @param template of its pool, where the request has job variables
 * @returns the run's parameters
 */
export async function judgeRequest(
  workspace: Workspace,
  config: HomeDeployment,
  template: JsonObject | null,
  body: DeploymentFlowRunCreate,
): Promise<JsonObject> {
  const { deployment } = config
  const parameters = await hydrateRequest(
    workspace,
    mergeParameters(deployment.parameters, body.parameters ?? {}),
    'Error hydrating flow run parameters: ',
  )
  checkSizes(parameters, body)
  checkParameters(config, parameters, body.enforce_parameter_schema ?? null)
  if (body.work_queue_name && deployment.work_pool_name === null) {
    throw new DomainError(
      'bad_request',
      `Deployment '${deployment.name}' has no work pool, so its runs can't go to work queue '${body.work_queue_name}'.`,
    )
  }
  if (template !== null && body.job_variables) {
    checkJobVariables(template, [deployment.job_variables, body.job_variables], 'creating')
  }
  return parameters
}

/** The template by which job variables of a deployment's run are judged; null where it has no pool. */
export async function templateOf(
  workspace: Workspace,
  { deployment }: HomeDeployment,
): Promise<JsonObject | null> {
  if (deployment.work_pool_name === null) {
    return null
  }
  const pool = await readHomeWorkPoolByName(workspace, deployment.work_pool_name)
  return await hydrateTemplate(workspace, pool?.pool.base_job_template ?? {})
}

/** The run that a judged request asks for. */
export function runOfDeployment(
  config: HomeDeployment,
  maker: Maker,
  {
    body,
    parameters,
    queueId,
  }: { body: DeploymentFlowRunCreate; parameters: JsonObject; queueId: string | null },
  id: string,
  now: Micros,
): NewFlowRun {
  const { deployment, flow } = config
  const tags = unique([...deployment.tags, ...(body.tags ?? [])])
  const state = body.state ?? { type: 'SCHEDULED' as const }
  return {
    record: {
      ...newFlowRunRecord(id, now),
      created_by: createdBy(maker),
      name: nameOf(body),
      flow_id: flow.id,
      deployment_id: deployment.id,
      deployment_version: deployment.version,
      work_pool_id: config.work_pool_id,
      work_queue_id: queueId,
      parameters,
      idempotency_key: body.idempotency_key ?? null,
      context: body.context ?? {},
      empirical_policy: policyOf(body.empirical_policy),
      tags,
      labels: {
        ...flow.labels,
        'prefect.flow.id': flow.id,
        ...deployment.labels,
        'prefect.deployment.id': deployment.id,
        ...body.labels,
      },
      parent_task_run_id: body.parent_task_run_id ?? null,
      job_variables: body.job_variables ?? {},
      concurrency_key: requestedKey(config, { parameters, tags }),
      start_before: startBefore(config, { state, start_before: body.start_before }, now),
    },
    flow_name: flow.name,
    deployment_name: deployment.name,
    state,
  }
}

/** The queue that a deployment's run goes to; one that is named is made where it is missing, as in Prefect. */
export async function queueOf(
  workspace: Workspace,
  { deployment }: HomeDeployment,
  name: string | null,
  now: Micros,
): Promise<string | null> {
  if (deployment.work_pool_name === null) {
    return null
  }
  return name
    ? await ensureWorkQueue(workspace, deployment.work_pool_name, name, now)
    : deployment.work_queue_id
}

async function make(
  workspace: Workspace,
  home: HomeKey,
  idempotencyKey: string | null,
  now: Micros,
  build: (id: string) => NewFlowRun,
): Promise<CreatedFlowRun> {
  const minted = flowRunId(home, Math.floor(now / 1000), crypto.getRandomValues(new Uint8Array(10)))
  const request = build(minted)
  const id =
    idempotencyKey === null
      ? minted
      : await reserveIdempotencyKey(
          workspace,
          { flow_id: request.record.flow_id, key: idempotencyKey, flow_run_id: minted },
          now,
        )
  // The id that an earlier request reserved may name another home, if the deployment has moved since.
  const key = homeKeyOf(id)
  const record = { ...request.record, id }
  const [result] = await homeStub(workspace, key).createFlowRuns(
    homeContext(workspace, key),
    [{ ...request, record }],
    id !== minted,
  )
  if (result === undefined) {
    throw new Error(`home ${key} made no run of one request`)
  }
  noteFlowRun(workspace, result.run)
  return result
}

function createdBy(maker: Maker): CreatedBy {
  return maker.kind === 'run'
    ? { id: maker.flow_run_id, type: 'FLOW_RUN', display_value: null }
    : {
        id: maker.id,
        type: MAKER_TYPES[maker.kind],
        display_value: maker.name,
      }
}

async function getQueueId(
  workspace: Workspace,
  pool: string,
  name: string,
  now: Micros,
): Promise<string> {
  const found = await findWorkQueueByName(workspace, pool, name, now)
  if (found === undefined) {
    throw new DomainError('not_found', `Work pool queue '${pool}/${name}' not found.`)
  }
  return found.queue.id
}

function checkParameters(
  config: HomeDeployment,
  parameters: JsonObject,
  enforce: boolean | null,
): void {
  if (!(enforce ?? config.deployment.enforce_parameter_schema)) {
    return
  }
  const schema = config.deployment.parameter_openapi_schema
  if (schema === null) {
    throw new DomainError(
      'conflict',
      'Error creating flow run: parameter schema enforcement is enabled and the deployment does not have a parameter schema.',
    )
  }
  refuseIssues(() => validateParameters(schema, parameters), {
    code: 'conflict',
    prefix: 'Error creating flow run: ',
    field: ['parameters'],
  })
}

/** What a run's row holds of the request. */
function checkSizes(
  parameters: JsonObject,
  body: Pick<FlowRunCreate, 'context' | 'job_variables' | 'state'>,
): void {
  checkJsonSize(parameters, ['parameters'])
  checkJsonSize(body.context, ['context'])
  checkJsonSize(body.job_variables, ['job_variables'])
  checkStateSize(body.state, ['state'])
}

function nameOf(body: { name?: string | null | undefined }): string {
  return body.name || generateName([Math.random(), Math.random()])
}

function policyOf(given: FlowRunCreate['empirical_policy']): FlowRunRecord['empirical_policy'] {
  const fields = Object.entries(given ?? {}).filter(
    ([name, value]) => name in DEFAULT_POLICY && value !== undefined,
  )
  return { ...DEFAULT_POLICY, ...Object.fromEntries(fields) }
}

function unique(values: string[]): string[] {
  return [...new Set(values)]
}

import { readFileSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { ApiError, type Client } from '../core/client.ts'
import { withRetry } from '../core/retry.ts'
import type { JsonObject } from '../core/wire/common.ts'
import type { Deployment, DeploymentUpdate } from '../core/wire/deployment.ts'
import type { CallSite } from './call-site.ts'
import { applySchedules, type ScheduleOptions, toScheduleCreate } from './deployment-schedules.ts'
import { findExportName } from './export-name.ts'
import { toJsonParameters } from './parameters.ts'
import { configuredClient } from './settings.ts'

/** What every deployment may say. */
export interface DeploymentOptions<I> {
  /** Names the deployment within its flow. */
  name: string
  /** Where the flow is, as `path/file.ts:exportName`. Default: where it was defined, relative to the working directory. */
  entrypoint?: string
  schedules?: ScheduleOptions[]
  /** Defaults for the runs' parameters. */
  parameters?: Partial<I>
  tags?: readonly string[]
  /** Default: the flow's. */
  description?: string
  /** Default: the flow's. */
  version?: string
  /** Creates no scheduled runs while true. Default: as it was before, else false. */
  paused?: boolean
  /** How many of its runs run at once; null for any number. Default: as it was before. */
  concurrencyLimit?: number | null
  /** What becomes of a run beyond the limit: it waits, or is cancelled. */
  collisionStrategy?: 'ENQUEUE' | 'CANCEL_NEW'
  /**
   * Runs of one key share a limit, and the keys of a queue take turns by their weights. The template is Jinja over
   * `parameters`, `tags`, `deployment` and `flow`. Null for none. Default: as it was before.
   */
  concurrencyKey?: { template: string; limit?: number; weights?: Record<string, number> } | null
  /** One more run that is due and has to wait is cancelled; null for no cap. Default: as it was before. */
  maxWaitingRuns?: number | null
  /** A run that has not begun so long after its time is cancelled; null for no end. Default: as it was before. */
  startWithinSeconds?: number | null
  /** Whether the server refuses runs whose parameters the schema refuses. Default true. */
  enforceParameterSchema?: boolean
}

export interface DeployOptions<I> extends DeploymentOptions<I> {
  workPool: string
  /** Default: the pool's default queue. */
  workQueue?: string
  /** Values for the variables of the pool's base job template. */
  jobVariables?: JsonObject
  /** How the code comes to where it runs. Default: it is in this working directory already. */
  pullSteps?: JsonObject[]
  /** Default: the configured API. */
  client?: Client
}

/** What is to be known of a flow to deploy it. */
export interface DeployTarget {
  flowName: string
  description: string | undefined
  version: string | undefined
  tags: readonly string[]
  definedAt: CallSite | undefined
  parameterSchema: () => JsonObject
}

/** Creates or updates a deployment for a work pool. */
export async function deploy(
  target: DeployTarget,
  options: DeployOptions<unknown>,
): Promise<Deployment> {
  const client = options.client ?? configuredClient(`deploying flow '${target.flowName}'`)
  return applyDeployment(client, target, options, {
    entrypoint: options.entrypoint ?? entrypointOf(target),
    work_pool_name: options.workPool,
    ...(options.workQueue === undefined ? {} : { work_queue_name: options.workQueue }),
    ...(options.jobVariables === undefined ? {} : { job_variables: options.jobVariables }),
    pull_steps: options.pullSteps ?? [
      { 'prefect.deployments.steps.set_working_directory': { directory: process.cwd() } },
    ],
  })
}

/**
 * Creates the deployment, or updates it: what the options don't say stays as it is on the server.
 * @param fields what depends on how the deployment's runs are executed
 */
export async function applyDeployment(
  client: Client,
  target: DeployTarget,
  options: DeploymentOptions<unknown>,
  fields: DeploymentUpdate,
): Promise<Deployment> {
  const body = { ...describeDeployment(target, options), ...fields }
  const schedules = options.schedules?.map((schedule) => toScheduleCreate(schedule))
  const flow = await withRetry(() => client.createFlow({ name: target.flowName }))
  const existing = await findDeployment(client, target.flowName, options.name)
  if (existing === undefined) {
    return withRetry(() =>
      client.createDeployment({
        name: options.name,
        flow_id: flow.id,
        ...body,
        schedules: schedules ?? [],
      }),
    )
  }
  await withRetry(() => client.updateDeployment(existing.id, body))
  if (schedules !== undefined) {
    await applySchedules(client, existing.id, schedules)
  }
  return withRetry(() => client.readDeployment(existing.id))
}

function describeDeployment(
  target: DeployTarget,
  options: DeploymentOptions<unknown>,
): DeploymentUpdate {
  const { parameters, tags, paused, concurrencyLimit, collisionStrategy } = options
  const description = options.description ?? target.description
  const version = options.version ?? target.version
  const owner = `deployment '${target.flowName}/${options.name}'`
  return {
    parameter_openapi_schema: target.parameterSchema(),
    enforce_parameter_schema: options.enforceParameterSchema ?? true,
    tags: [...new Set([...target.tags, ...(tags ?? [])])],
    ...(parameters === undefined ? {} : { parameters: toJsonParameters(parameters, owner) }),
    ...(description === undefined ? {} : { description }),
    ...(version === undefined ? {} : { version }),
    ...(paused === undefined ? {} : { paused }),
    ...(concurrencyLimit === undefined ? {} : { concurrency_limit: concurrencyLimit }),
    ...(collisionStrategy === undefined
      ? {}
      : { concurrency_options: { collision_strategy: collisionStrategy } }),
    ...describeWaiting(options),
  }
}

function describeWaiting({
  concurrencyKey: key,
  maxWaitingRuns,
  startWithinSeconds,
}: DeploymentOptions<unknown>): DeploymentUpdate {
  return {
    ...(key === undefined
      ? {}
      : { concurrency_key: key === null ? null : { limit: null, weights: {}, ...key } }),
    ...(maxWaitingRuns === undefined ? {} : { max_waiting_runs: maxWaitingRuns }),
    ...(startWithinSeconds === undefined ? {} : { start_within_seconds: startWithinSeconds }),
  }
}

/** The deployment of this name, if there is one. */
async function findDeployment(
  client: Client,
  flowName: string,
  name: string,
): Promise<Deployment | undefined> {
  try {
    return await withRetry(() => client.readDeploymentByName(flowName, name))
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      return undefined
    }
    throw error
  }
}

/** Where the flow was defined, as an entrypoint relative to the working directory. */
function entrypointOf({ flowName, definedAt }: DeployTarget): string {
  const exportName =
    definedAt === undefined
      ? undefined
      : findExportName(readFileSync(definedAt.file, 'utf8'), flowName, definedAt.line)
  if (definedAt === undefined || exportName === undefined) {
    throw new Error(
      `flow '${flowName}' should be exported by name where it is defined (export const name = flow(...)), ` +
        `so that its runs find it; or give deploy() its entrypoint, as path/file.ts:name`,
    )
  }
  const path = relative(process.cwd(), definedAt.file).split(sep).join('/')
  return `${path}:${exportName}`
}

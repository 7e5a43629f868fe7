import type { Client } from '../core/client.ts'
import { requestsOf } from '../core/many-runs.ts'
import { isTerminal } from '../core/state.ts'
import { withRetry } from '../core/retry.ts'
import { sleep } from '../core/sleep.ts'
import type { JsonObject } from '../core/wire/common.ts'
import type { Deployment, DeploymentFlowRunCreate } from '../core/wire/deployment.ts'
import type { FlowRun } from '../core/wire/flow-run.ts'
import { ApiBackend } from './api-backend.ts'
import { newId } from './clock.ts'
import { TimedOut } from './errors.ts'
import { currentScope } from './run-context.ts'
import { configuredClient } from './settings.ts'
import { collectTaskInputs, resolveFutures } from './task-inputs.ts'
import { toJsonParameters } from './parameters.ts'

export interface RunDeploymentOptions {
  /** Over the deployment's own. */
  parameters?: Record<string, unknown>
  /** Give the run when it has ended, rather than at once. Default false. */
  wait?: boolean
  /** How long to wait at most. Default: until it ends. */
  timeoutSeconds?: number
  /** Default 2. */
  pollSeconds?: number
  /** When it is to run. Default: now. */
  scheduledTime?: Date
  /** Names the run. */
  runName?: string
  tags?: readonly string[]
  workQueue?: string
  jobVariables?: JsonObject
  /** Two calls with one key make one run. */
  idempotencyKey?: string
  /** Show it as a subflow of the flow that calls. Default true. */
  asSubflow?: boolean
  /** Default: the configured API. */
  client?: Client
}

/**
 * Creates a run of a deployment, to be executed wherever the deployment's work pool is served.
 * @param name `flow/deployment`
 * @throws ApiError when the server refuses it (no such deployment, parameters against the schema); TimedOut
 * @example
 * const run = await runDeployment('etl/nightly', { parameters: { day: '2026-01-02' }, wait: true })
 * if (run.state_type !== 'COMPLETED') throw new Error(`etl ended as ${run.state_name}`)
 */
export async function runDeployment(
  name: string,
  options: RunDeploymentOptions = {},
): Promise<FlowRun> {
  const { client, deployment } = await findDeployment(name, options.client)
  const parent = options.asSubflow === false ? undefined : await trackingTaskRun(name, options)
  const body = {
    ...(await runBody(name, options)),
    ...(parent === undefined ? {} : { parent_task_run_id: parent }),
  }
  const run = await withRetry(() => client.createFlowRunFromDeployment(deployment.id, body))
  return options.wait === true ? waitForEnd(client, run, options) : run
}

/** One of many runs of a deployment. */
export type DeploymentRun = Pick<
  RunDeploymentOptions,
  | 'parameters'
  | 'scheduledTime'
  | 'runName'
  | 'tags'
  | 'workQueue'
  | 'jobVariables'
  | 'idempotencyKey'
>

/**
 * Creates many runs of a deployment, a thousand with each request. All runs of a request are judged before any is made.
 * @param name `flow/deployment`
 * @param options `client`: default the configured API
 * @returns in the order of `runs`; `created` is false where the idempotency key's run was there already
 * @throws ApiError when the server refuses one: its message names the place (`body.flow_runs.3.parameters`)
 * @example
 * await runDeployments('etl/day', days.map((day) => ({ parameters: { day }, idempotencyKey: `etl-${day}` })))
 */
export async function runDeployments(
  name: string,
  runs: readonly DeploymentRun[],
  options: { client?: Client } = {},
): Promise<{ id: string; created: boolean }[]> {
  const { client, deployment } = await findDeployment(name, options.client)
  const bodies = await Promise.all(runs.map((run) => runBody(name, run)))
  const made: { id: string; created: boolean }[] = []
  for (const flowRuns of requestsOf(bodies)) {
    // oxlint-disable-next-line no-await-in-loop -- one after another, so that runs are made in their order
    const answer = await withRetry(() =>
      client.createFlowRunsFromDeployment(deployment.id, flowRuns),
    )
    made.push(...answer.flow_runs)
  }
  return made
}

async function runBody(name: string, run: DeploymentRun): Promise<DeploymentFlowRunCreate> {
  const parameters = await resolveFutures(run.parameters ?? {})
  return {
    parameters: toJsonParameters(parameters, `deployment '${name}'`),
    // The key makes it safe to ask again when an answer was lost.
    idempotency_key: run.idempotencyKey ?? newId(),
    ...(run.runName === undefined ? {} : { name: run.runName }),
    ...(run.tags === undefined ? {} : { tags: [...run.tags] }),
    ...(run.workQueue === undefined ? {} : { work_queue_name: run.workQueue }),
    ...(run.jobVariables === undefined ? {} : { job_variables: run.jobVariables }),
    ...(run.scheduledTime === undefined
      ? {}
      : {
          state: {
            type: 'SCHEDULED' as const,
            state_details: { scheduled_time: run.scheduledTime.toISOString() },
          },
        }),
  }
}

/** The deployment, and the API that has it: the given one, that of the flow that calls, or the configured one. */
async function findDeployment(
  name: string,
  given: Client | undefined,
): Promise<{ client: Client; deployment: Deployment }> {
  const [flowName, deploymentName, ...rest] = name.split('/')
  if (!flowName || !deploymentName || rest.length > 0) {
    throw new TypeError(`a deployment is named as flow/deployment, got '${name}'`)
  }
  const backend = currentScope()?.backend
  const client =
    given ??
    (backend instanceof ApiBackend ? backend.client : configuredClient(`running '${name}'`))
  const deployment = await withRetry(() => client.readDeploymentByName(flowName, deploymentName))
  return { client, deployment }
}

/** Within a flow that the API knows, the run is drawn as a subflow of it. */
async function trackingTaskRun(
  name: string,
  options: RunDeploymentOptions,
): Promise<string | undefined> {
  const scope = currentScope()
  if (!(scope?.backend instanceof ApiBackend) || scope.flow === undefined) {
    return undefined
  }
  const { flow, context, backend } = scope
  const key = `deployment:${name}`
  const count = flow.counters.get(key) ?? 0
  flow.counters.set(key, count + 1)
  const { id } = await backend.createTrackingTaskRun(
    { name: name.replace('/', '-') },
    {
      run: flow.run,
      taskRunId: context.taskRun?.id,
      count,
      taskInputs: collectTaskInputs(options.parameters),
    },
  )
  return id
}

async function waitForEnd(
  client: Client,
  run: FlowRun,
  { timeoutSeconds = Infinity, pollSeconds = 2 }: RunDeploymentOptions,
): Promise<FlowRun> {
  const signal = currentScope()?.signal
  const deadline = performance.now() + timeoutSeconds * 1000
  let current = run
  while (current.state_type === null || !isTerminal(current.state_type)) {
    if (performance.now() > deadline) {
      throw new TimedOut(
        `flow run '${run.name}' has not ended within ${timeoutSeconds} seconds; it is ${current.state_name ?? 'stateless'}`,
      )
    }
    // oxlint-disable-next-line no-await-in-loop -- polls
    await sleep(pollSeconds * 1000, signal)
    // oxlint-disable-next-line no-await-in-loop -- polls
    current = await withRetry(() => client.readFlowRun(run.id), { attempts: Infinity })
  }
  return current
}

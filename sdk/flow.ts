import type { Deployment } from '../core/wire/deployment.ts'
import type { JsonObject } from '../core/wire/common.ts'
import type { State } from '../core/wire/state.ts'
import type { CallArguments, Returned } from './call-types.ts'
import { findCallSite } from './call-site.ts'
import { deploy, type DeployOptions } from './deploy.ts'
import type { FlowDefinition } from './engine.ts'
import { EXECUTE, execute, type ExecuteOptions } from './execute.ts'
import { parameterJsonSchema } from './parameters.ts'
import { checkRetryOptions, type RetryOptions } from './retry-policy.ts'
import type { FlowContext } from './run-context.ts'
import { serve, type ServeOptions } from './serve.ts'
import { callFlow, valueOf } from './session.ts'
import type { InputOf, OutputOf, StandardSchema } from './standard-schema.ts'

export interface FlowOptions extends Omit<RetryOptions, 'retryDelaySeconds'> {
  /** Names the flow; runs of flows of one name belong together. */
  name: string
  description?: string
  /** Shown with each run. */
  version?: string
  /** Every run that this process makes gets them. */
  tags?: readonly string[]
  /** Whole seconds between a failure and the retry. Default 0. */
  retryDelaySeconds?: number
  /** A run that takes longer fails as TimedOut. */
  timeoutSeconds?: number
  /** How many submitted tasks run at once. Default: all of them. */
  taskConcurrency?: number
}

/** A flow: call it to run it. Inside another flow the call makes a subflow. */
export interface Flow<I, O> {
  /**
   * Runs the flow and gives what it returns.
   * @throws what the flow throws, once its retries are used up
   */
  (...args: CallArguments<I>): Promise<O>
  readonly flowName: string
  readonly description: string | undefined
  /** Runs the flow and gives its final state; a failed run doesn't throw. Undefined when the server took the run away. */
  runToState(...args: CallArguments<I>): Promise<State | undefined>
  /**
   * The JSON Schema of the parameters, as deployments carry it.
   * @throws TypeError when the schema's library can't write JSON Schema
   */
  parameterSchema(): JsonObject
  /**
   * Creates or updates a deployment of this flow for a work pool.
   * @example await hello.deploy({ name: 'nightly', workPool: 'default', schedules: [{ cron: '0 3 * * *' }] })
   */
  deploy(options: DeployOptions<I>): Promise<Deployment>
  /**
   * Creates or updates a deployment without a work pool and executes its runs in this process, until SIGINT or SIGTERM.
   * @example await hello.serve({ name: 'here', schedules: [{ intervalSeconds: 60 }] })
   */
  serve(options: ServeOptions<I>): Promise<void>
  /** Executes a run that exists already; for what starts flows. Gives the process's exit code. */
  [EXECUTE](options?: ExecuteOptions): Promise<number>
}

/**
 * Makes a flow. Its parameters are described by any Standard Schema whose library writes JSON Schema (zod, say): the same
 * schema gives the TypeScript type, validates each run and becomes the deployment's parameter schema.
 * @param body gets the validated parameters and the run's context; what it returns is the run's value
 * @example
 * export const hello = flow(
 *   { name: 'hello', parameters: z.object({ name: z.string().default('world') }), retries: 2 },
 *   async ({ name }, { logger }) => {
 *     logger.info('hello %s', name)
 *     return name.length
 *   },
 * )
 * await hello({ name: 'Marvin' })
 */
export function flow<S extends StandardSchema, R>(
  options: FlowOptions & { parameters: S },
  body: (parameters: OutputOf<S>, context: FlowContext<OutputOf<S>>) => R,
): Flow<InputOf<S>, Returned<R>>
export function flow<I, R>(
  options: FlowOptions & { parameters?: undefined },
  body: (parameters: I, context: FlowContext<I>) => R,
): Flow<I, Returned<R>>
export function flow(
  options: FlowOptions & { parameters?: StandardSchema | undefined },
  body: (parameters: never, context: never) => unknown,
): Flow<unknown, unknown> {
  const definition = define(options, body)
  const target = {
    flowName: definition.name,
    description: options.description,
    version: options.version,
    tags: definition.tags,
    definedAt: findCallSite(),
    parameterSchema: () => parameterJsonSchema(definition.schema, `flow '${definition.name}'`),
  }
  const call = async (parameters?: unknown) => valueOf(await callFlow(definition, parameters))
  return Object.assign(call, {
    flowName: definition.name,
    description: options.description,
    runToState: async (parameters?: unknown) => {
      const outcome = await callFlow(definition, parameters)
      return outcome.kind === 'ended' ? outcome.state : undefined
    },
    parameterSchema: target.parameterSchema,
    deploy: (wanted: DeployOptions<unknown>) => deploy(target, wanted),
    serve: (wanted: ServeOptions<unknown>) => serve(definition, target, wanted),
    [EXECUTE]: (wanted: ExecuteOptions = {}) => execute(definition, wanted),
  })
}

function define(
  options: FlowOptions & { parameters?: StandardSchema | undefined },
  body: (parameters: never, context: never) => unknown,
): FlowDefinition {
  if (options.name === '') {
    throw new TypeError('a flow needs a name')
  }
  checkRetryOptions(`flow '${options.name}'`, options)
  return {
    name: options.name,
    version: options.version,
    tags: options.tags ?? [],
    retries: options.retries ?? 0,
    retryDelaySeconds: options.retryDelaySeconds ?? 0,
    schema: options.parameters,
    timeoutSeconds: options.timeoutSeconds,
    taskConcurrency: options.taskConcurrency,
    body: body as FlowDefinition['body'],
  }
}

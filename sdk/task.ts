import type { CallArguments, Returned } from './call-types.ts'
import { LocalBackend } from './local-backend.ts'
import { checkRetryOptions, type TaskRetryOptions } from './retry-policy.ts'
import { currentScope, type RunContext } from './run-context.ts'
import { makeController } from './signals.ts'
import { Slots } from './slots.ts'
import type { InputOf, OutputOf, StandardSchema } from './standard-schema.ts'
import { startTask, type TaskDefinition, taskKey } from './task-engine.ts'
import type { Resolvable, TaskFuture } from './task-future.ts'

export interface TaskOptions extends TaskRetryOptions<RunContext> {
  /** Names the task and, with a number, its runs. */
  name: string
  /** Shown with each run. */
  version?: string
  tags?: readonly string[]
  /** A try that takes longer fails as TimedOut; retries apply to it. */
  timeoutSeconds?: number
}

export interface SubmitOptions {
  /** Task runs that have to complete first, though their values are not wanted. */
  waitFor?: readonly TaskFuture<unknown>[]
}

export interface MapOptions extends SubmitOptions {
  /** How many of them run at once. Default: all of them. */
  concurrency?: number
}

type SubmitArguments<I> = [...CallArguments<I>, options?: SubmitOptions]

/** A task: a piece of a flow that is retried, timed, limited and shown by itself. */
export interface Task<I, O> {
  /**
   * Runs the task and gives what it returns.
   * @throws what the task throws, once its retries are used up
   */
  (...args: CallArguments<I>): Promise<O>
  readonly taskName: string
  /**
   * Starts the task without waiting for it. Futures in the argument are awaited first. The flow run waits for it at its end.
   * @throws Error outside a flow
   * @example const rows = extract.submit({ url })
   */
  submit(...args: SubmitArguments<I>): TaskFuture<O>
  /**
   * Submits the task once for each item.
   * @example const sizes = await Promise.all(measure.map(files, { concurrency: 4 }))
   */
  map(items: Iterable<Resolvable<I>>, options?: MapOptions): TaskFuture<O>[]
}

/**
 * Makes a task. It takes one argument, of any type; `parameters` may hold a Standard Schema that validates it.
 * @param body gets the argument and the run's context; what it returns is the task's value
 * @example
 * const fetchPage = task(
 *   { name: 'fetch page', retries: 3, retryDelaySeconds: [1, 10, 60], retryJitterFactor: 0.3 },
 *   async (url: string, { signal }) => (await fetch(url, { signal })).text(),
 * )
 */
export function task<S extends StandardSchema, R>(
  options: TaskOptions & { parameters: S },
  body: (input: OutputOf<S>, context: RunContext<OutputOf<S>>) => R,
): Task<InputOf<S>, Returned<R>>
export function task<I, R>(
  options: TaskOptions & { parameters?: undefined },
  body: (input: I, context: RunContext<I>) => R,
): Task<I, Returned<R>>
export function task(
  options: TaskOptions & { parameters?: StandardSchema | undefined },
  body: (input: never, context: never) => unknown,
): Task<unknown, unknown> {
  const definition = define(options, body)
  const submit = (input: unknown, options_: SubmitOptions = {}, slots: readonly Slots[] = []) =>
    submitTask(definition, input, options_, slots)
  return Object.assign(async (input?: unknown) => callTask(definition, input), {
    taskName: definition.name,
    submit: (input?: unknown, wanted?: SubmitOptions) => submit(input, wanted),
    map: (items: Iterable<unknown>, wanted: MapOptions = {}) => {
      const slots = wanted.concurrency === undefined ? [] : [new Slots(wanted.concurrency)]
      return Array.from(items, (item) => submit(item, wanted, slots))
    },
  })
}

function define(
  options: TaskOptions & { parameters?: StandardSchema | undefined },
  body: (input: never, context: never) => unknown,
): TaskDefinition {
  if (options.name === '') {
    throw new TypeError('a task needs a name')
  }
  checkRetryOptions(`task '${options.name}'`, options)
  return {
    name: options.name,
    key: taskKey(options.name, body),
    version: options.version,
    tags: options.tags ?? [],
    schema: options.parameters,
    retry: options,
    timeoutSeconds: options.timeoutSeconds,
    body: body as TaskDefinition['body'],
  }
}

/** A call in line takes no slot of the flow: who waits for it may hold one. */
async function callTask(definition: TaskDefinition, input: unknown): Promise<unknown> {
  const scope = currentScope()
  const future = startTask({
    definition,
    input,
    waitFor: [],
    slots: [],
    backend: scope?.backend ?? new LocalBackend(),
    flow: scope?.flow,
    callerTaskRunId: scope?.context.taskRun?.id,
    signal: scope?.signal ?? makeController().signal,
  })
  return future.result()
}

function submitTask(
  definition: TaskDefinition,
  input: unknown,
  { waitFor = [] }: SubmitOptions,
  slots: readonly Slots[],
): TaskFuture<unknown> {
  const scope = currentScope()
  if (scope?.flow === undefined) {
    throw new Error(
      `task '${definition.name}' can be submitted only within a flow; call it instead: await the task with its argument`,
    )
  }
  const { flow, context } = scope
  // A task's own tasks take no slot of the flow: it holds one while it waits for them.
  const limited = flow.slots !== undefined && context.taskRun === undefined
  const future = startTask({
    definition,
    input,
    waitFor,
    slots: limited && flow.slots !== undefined ? [...slots, flow.slots] : slots,
    backend: scope.backend,
    flow,
    callerTaskRunId: context.taskRun?.id,
    signal: scope.signal,
  })
  const ended = future.wait()
  flow.submitted.add(ended)
  void ended.then(() => flow.submitted.delete(ended))
  return future
}

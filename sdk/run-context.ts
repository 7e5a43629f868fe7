import { AsyncLocalStorage } from 'node:async_hooks'
import { sleep as sleepFor } from '../core/sleep.ts'
import type { Backend, FlowRunRecord } from './backend.ts'
import { Logger } from './logger.ts'
import type { Slots } from './slots.ts'
import { printLine } from './terminal.ts'

export interface FlowRunFacts {
  readonly id: string
  readonly name: string
  readonly flowName: string
  readonly deploymentId: string | undefined
  readonly tags: readonly string[]
}

/** What running code can know of its run. */
export interface RunContext<Parameters = unknown> {
  /** The flow run; undefined in a task that is called outside a flow. */
  readonly flowRun: FlowRunFacts | undefined
  /** The task run; undefined in a flow's own code. */
  readonly taskRun:
    { readonly id: string; readonly name: string; readonly taskName: string } | undefined
  /** What the flow or task was called with, validated. */
  readonly parameters: Parameters
  /** Aborts when the run is cancelled, its process is told to end, or its time is up. Pass it to `fetch`, timers and so on. */
  readonly signal: AbortSignal
  /** Writes the run's log. */
  readonly logger: Logger
  /** 1 in the first try, 2 in the first retry, and so on. */
  readonly attempt: number
}

/** What a flow's own code can know of its run. */
export interface FlowContext<Parameters = unknown> extends RunContext<Parameters> {
  readonly flowRun: FlowRunFacts
}

/** A flow's run in this process: what its tasks and subflows share. */
export interface FlowScope {
  readonly run: FlowRunRecord
  readonly slots: Slots | undefined
  /** Submitted task runs that have not ended. */
  readonly submitted: Set<Promise<unknown>>
  /** How many runs of each task and subflow there were in this attempt. */
  readonly counters: Map<string, number>
  /** The flow's code has failed: what has not begun begins no more. */
  closed: boolean
}

/** What the engine carries along with the code that it runs. */
export interface Scope {
  readonly backend: Backend
  readonly context: RunContext
  /** The context's signal; reading it here says nothing about the user's code. */
  readonly signal: AbortSignal
  readonly flow: FlowScope | undefined
}

const storage = new AsyncLocalStorage<Scope>()

/** The scope of the calling code, if it runs in a flow or task. */
export function currentScope(): Scope | undefined {
  return storage.getStore()
}

/** Runs code within a scope. */
export function inScope<T>(scope: Scope, code: () => T): T {
  return storage.run(scope, code)
}

/**
 * The context of the run that the calling code belongs to, however deep it was called.
 * @throws Error outside a flow or task
 * @example
 * async function load(url: string) {
 *   const { signal, logger } = runContext()
 *   logger.info('loading %s', url)
 *   return fetch(url, { signal })
 * }
 */
export function runContext(): RunContext {
  const scope = currentScope()
  if (scope === undefined) {
    throw new Error('runContext() is for code that runs in a flow or task; nothing runs here')
  }
  return scope.context
}

/**
 * The logger of the run that the calling code belongs to; outside a run one that only prints.
 * @example getLogger().info('hello')
 */
export function getLogger(): Logger {
  return (
    currentScope()?.context.logger ??
    new Logger({ name: 'headgate', speaker: 'headgate', sink: printLine })
  )
}

/**
 * Waits; ends early, by throwing, when the run is stopped.
 * @param seconds how long
 * @example await sleep(1.5)
 */
export function sleep(seconds: number): Promise<void> {
  return sleepFor(seconds * 1000, currentScope()?.signal)
}

/**
 * Makes a context. Reading its `signal` tells the engine that the code ends by itself when asked to (`onSignalRead`).
 */
export function makeContext(
  fields: Omit<RunContext, 'signal'>,
  signal: AbortSignal,
  onSignalRead: () => void,
): RunContext {
  return {
    ...fields,
    get signal() {
      onSignalRead()
      return signal
    },
  }
}

import type { Json, JsonObject } from '../core/wire/common.ts'
import type { OrchestrationResult, StateCreate, State } from '../core/wire/state.ts'
import type { RelatedResource } from './events.ts'
import type { LogSink } from './logger.ts'
import type { TaskInputs, TaskRunRecord, TaskRunState } from './task-run.ts'

/** A flow run as the engine keeps it. */
export interface FlowRunRecord {
  readonly id: string
  readonly name: string
  readonly flowName: string
  readonly deploymentId: string | undefined
  readonly tags: readonly string[]
  /** How often it has entered RUNNING. */
  runCount: number
  policy: { retries: number | null; retry_delay: number | null; [field: string]: Json }
  /** What its events tell of it. */
  readonly related: RelatedResource[]
}

/** What is to be known of a flow to make a run of it. */
export interface FlowFacts {
  readonly name: string
  readonly version: string | undefined
  readonly tags: readonly string[]
  readonly retries: number
  readonly retryDelaySeconds: number
}

/** A flow run that calls a subflow. */
export interface Caller {
  readonly run: FlowRunRecord
  /** The task run that calls, when it is a task. */
  readonly taskRunId: string | undefined
  /** How many times this attempt has called that flow before. */
  readonly count: number
  readonly taskInputs: TaskInputs
}

/** Where runs are made, their states decided and their logs kept: the API, or this process alone. */
export interface Backend {
  /** Makes a run, a subflow's when there is a caller. `ended` is the state of a subflow run that an earlier attempt completed. */
  createFlowRun(
    flow: FlowFacts,
    parameters: JsonObject,
    caller: Caller | undefined,
  ): Promise<{ run: FlowRunRecord; ended: State | undefined }>
  /** Gives a run that was made by its deployment the flow's own retry policy, where it has none. */
  adoptPolicy(run: FlowRunRecord, flow: FlowFacts): Promise<void>
  /** Asks for a state. Waits out outages of the API until the signal aborts; throws when the API won't have this run. */
  propose(run: FlowRunRecord, state: StateCreate, signal: AbortSignal): Promise<OrchestrationResult>
  /** Reports that a task run has entered its present state. */
  reportTaskRun(
    record: TaskRunRecord,
    initial: TaskRunState | undefined,
    run: FlowRunRecord | undefined,
  ): void
  log: LogSink
  /** Those of the runs that are cancelled or being cancelled. */
  findCancelled(flowRunIds: string[]): Promise<string[]>
  /** Delivers logs and reports; says whether all arrived within the time. */
  flush(timeoutMs: number): Promise<boolean>
  /** Delivers what is still here, and then a last state, while the process exits and nothing asynchronous runs. */
  flushAtExit(last: { run: FlowRunRecord; state: StateCreate } | undefined): void
}

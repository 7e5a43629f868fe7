import type { Client } from '../core/client.ts'
import { isTerminal } from '../core/state.ts'
import { withRetry } from '../core/retry.ts'
import { formatTimestamp } from '../core/time.ts'
import type { Deployment } from '../core/wire/deployment.ts'
import type { Event } from '../core/wire/event.ts'
import type { Flow } from '../core/wire/flow.ts'
import type { FlowRun } from '../core/wire/flow-run.ts'
import type { JsonObject } from '../core/wire/common.ts'
import type { LogCreate } from '../core/wire/log.ts'
import type { OrchestrationResult, State, StateCreate } from '../core/wire/state.ts'
import type { Backend, Caller, FlowFacts, FlowRunRecord } from './backend.ts'
import { BatchSender, type Lost } from './batch-sender.ts'
import { newId, nowMicros } from './clock.ts'
import { RunAborted } from './errors.ts'
import { taskRunEvent } from './events.ts'
import { toFlowRunRecord } from './flow-run-record.ts'
import { inChunks, sendAtExit } from './exit-sender.ts'
import { LEVELS, type LogLine } from './logger.ts'
import { proposal } from './states.ts'
import type { TaskRunRecord, TaskRunState } from './task-run.ts'
import { complain, printLine } from './terminal.ts'
import { unlessAborted } from './signals.ts'

/** How long a log line waits for others. */
const LOG_DELAY_MS = 1000

/** Task run states are watched live, so they wait less. */
const EVENT_DELAY_MS = 250

export interface ApiBackendOptions {
  client: Client
  apiKey: string | undefined
  /** Print log lines too. */
  print: boolean
}

/** Runs that the API knows of. */
export class ApiBackend implements Backend {
  readonly client: Client
  readonly #apiKey: string | undefined
  readonly #print: boolean
  readonly #logs: BatchSender<LogCreate>
  readonly #events: BatchSender<Event>
  readonly #flows = new Map<string, Promise<Flow>>()

  constructor({ client, apiKey, print }: ApiBackendOptions) {
    this.client = client
    this.#apiKey = apiKey
    this.#print = print
    this.#logs = new BatchSender<LogCreate>({
      send: (batch) => client.createLogs(batch),
      delayMs: LOG_DELAY_MS,
      note: (lost) => lostLogsNote(lost),
      onRefused: (error, items) => complain(`the API refused ${items} log lines: ${String(error)}`),
    })
    this.#events = new BatchSender<Event>({
      send: (batch) => client.createEvents(batch),
      delayMs: EVENT_DELAY_MS,
      note: (lost) => {
        this.#logs.push(lostEventsNote(lost))
        return undefined
      },
      onRefused: (error, items) =>
        complain(`the API refused ${items} task run events: ${String(error)}`),
    })
  }

  async createFlowRun(
    flow: FlowFacts,
    parameters: JsonObject,
    caller: Caller | undefined,
  ): Promise<{ run: FlowRunRecord; ended: State | undefined }> {
    const flowRow = await this.#flow(flow.name)
    const parent = caller === undefined ? undefined : await this.createTrackingTaskRun(flow, caller)
    if (parent?.earlier !== undefined) {
      const { earlier } = parent
      const ended =
        earlier.state_type !== null && isTerminal(earlier.state_type)
          ? (earlier.state ?? undefined)
          : undefined
      return { run: toFlowRunRecord(earlier, flowRow), ended }
    }
    const idempotencyKey = newId()
    const flowRun = await withRetry(() =>
      this.client.createFlowRun({
        flow_id: flowRow.id,
        flow_version: flow.version ?? null,
        parameters,
        tags: [...flow.tags],
        state: proposal('PENDING'),
        parent_task_run_id: parent?.id ?? null,
        empirical_policy: {
          retries: flow.retries,
          retry_delay: Math.ceil(flow.retryDelaySeconds),
        },
        // A repeated POST makes no second run.
        idempotency_key: idempotencyKey,
      }),
    )
    return { run: toFlowRunRecord(flowRun, flowRow), ended: undefined }
  }

  #flow(name: string): Promise<Flow> {
    const known = this.#flows.get(name)
    if (known !== undefined) {
      return known
    }
    const created = withRetry(() => this.client.createFlow({ name }))
    this.#flows.set(name, created)
    created.catch(() => this.#flows.delete(name))
    return created
  }

  /**
   * Makes the task run that stands for a subflow in its parent. Its natural key is stable, so a parent that is run again finds
   * the task run of the earlier attempt, and `earlier` is the child run to go on with, if there is one.
   */
  async createTrackingTaskRun(
    flow: { name: string; version?: string | undefined },
    caller: Caller,
  ): Promise<{ id: string; earlier: FlowRun | undefined }> {
    const { taskInputs, run } = caller
    const taskRun = await withRetry(() =>
      this.client.createTaskRun({
        name: `${flow.name}-${caller.count}`,
        flow_run_id: run.id,
        task_key: `${flow.name}-subflow`,
        dynamic_key: String(caller.count),
        task_version: flow.version ?? null,
        state: proposal('PENDING'),
        task_inputs:
          caller.taskRunId === undefined
            ? taskInputs
            : { ...taskInputs, __parents__: [{ input_type: 'task_run', id: caller.taskRunId }] },
      }),
    )
    const endedBadly = ['FAILED', 'CRASHED', 'CANCELLED'].includes(taskRun.state_type ?? '')
    if (run.runCount === 1 || endedBadly) {
      return { id: taskRun.id, earlier: undefined }
    }
    const [earlier] = await withRetry(() =>
      this.client.filterFlowRuns({
        flow_runs: { parent_task_run_id: { any_: [taskRun.id] } },
        sort: 'EXPECTED_START_TIME_DESC',
        limit: 1,
      }),
    )
    // A child that completed without keeping its value has to run again.
    const valueLost = earlier?.state_type === 'COMPLETED' && earlier.state?.data === null
    return { id: taskRun.id, earlier: valueLost ? undefined : earlier }
  }

  async adoptPolicy(run: FlowRunRecord, flow: FlowFacts): Promise<void> {
    if (flow.retries === 0 || run.policy.retries !== null) {
      return
    }
    run.policy = {
      ...run.policy,
      resuming: false,
      retries: flow.retries,
      retry_delay: run.policy.retry_delay ?? Math.ceil(flow.retryDelaySeconds),
    }
    await withRetry(
      () =>
        this.client.updateFlowRun(run.id, {
          ...(flow.version === undefined ? {} : { flow_version: flow.version }),
          empirical_policy: run.policy,
        }),
      { attempts: Infinity },
    )
  }

  async propose(
    run: FlowRunRecord,
    state: StateCreate,
    signal: AbortSignal,
  ): Promise<OrchestrationResult> {
    const transitionId = newId()
    const proposed: StateCreate = {
      ...state,
      state_details: { ...state.state_details, transition_id: transitionId },
    }
    let warned = false
    const result = await unlessAborted(
      withRetry(() => this.client.setFlowRunState(run.id, proposed), {
        attempts: Infinity,
        signal,
        onRetry: (error) => {
          if (!warned) {
            complain(
              `the API doesn't take state '${String(state.name)}' (${String(error)}); trying again until it does`,
            )
            warned = true
          }
        },
      }),
      signal,
    )
    // The answer to the first try was lost, and the state was taken then.
    const takenBefore =
      result.status === 'REJECT' && result.state?.state_details.transition_id === transitionId
    return takenBefore
      ? { ...result, status: 'ACCEPT', details: { type: 'accept_details' } }
      : result
  }

  reportTaskRun(
    record: TaskRunRecord,
    initial: TaskRunState | undefined,
    run: FlowRunRecord | undefined,
  ): void {
    if (run !== undefined) {
      this.#events.push(taskRunEvent(record, initial, run.related))
    }
  }

  log = (line: LogLine): void => {
    if (this.#print) {
      printLine(line)
    }
    this.#logs.push({
      name: line.logger,
      level: line.level,
      message: line.message,
      timestamp: formatTimestamp(line.time),
      ...(line.flowRunId === undefined ? {} : { flow_run_id: line.flowRunId }),
      ...(line.taskRunId === undefined ? {} : { task_run_id: line.taskRunId }),
    })
  }

  async findCancelled(flowRunIds: string[]): Promise<string[]> {
    const runs = await this.client.filterFlowRuns({
      flow_runs: {
        id: { any_: flowRunIds },
        state: { type: { any_: ['CANCELLING', 'CANCELLED'] } },
      },
    })
    return runs.map(({ id }) => id)
  }

  async flush(timeoutMs: number): Promise<boolean> {
    const arrived = await Promise.all([this.#events.flush(timeoutMs), this.#logs.flush(timeoutMs)])
    return arrived.every(Boolean)
  }

  flushAtExit(last: { run: FlowRunRecord; state: StateCreate } | undefined): void {
    const requests = [
      ...inChunks('/events', this.#events.pending()),
      ...inChunks('/logs/', this.#logs.pending()),
    ]
    if (last !== undefined) {
      requests.push({ path: `/flow_runs/${last.run.id}/set_state`, body: { state: last.state } })
    }
    sendAtExit(this.client.apiUrl, this.#apiKey, requests)
  }

  /**
   * A run that its deployment or its agent made.
   * @throws RunAborted when it is not this flow's
   */
  adopt(
    flowRun: FlowRun,
    flowName: string,
    facts: { flow: Flow | null; deployment: Deployment | null },
  ): FlowRunRecord {
    if (facts.flow !== null && facts.flow.id !== flowRun.flow_id) {
      throw new RunAborted(`flow run '${flowRun.name}' is of another flow than '${flowName}'`)
    }
    return toFlowRunRecord(
      flowRun,
      { id: flowRun.flow_id, name: facts.flow?.name ?? flowName, tags: facts.flow?.tags ?? [] },
      facts.deployment,
    )
  }
}

function lostLogsNote({ items, bytes, last }: Lost<LogCreate>): LogCreate {
  return {
    ...last,
    name: 'headgate.logger',
    level: LEVELS.warning,
    message: `${items} log lines (${bytes} bytes) up to here were given up: the API could not be reached and memory is bounded`,
    timestamp: last?.timestamp ?? formatTimestamp(nowMicros()),
  }
}

function lostEventsNote({ items, last }: Lost<Event>): LogCreate {
  const flowRunId = last?.related
    ?.find((resource) => resource['prefect.resource.role'] === 'flow-run')
    ?.['prefect.resource.id']?.slice('prefect.flow-run.'.length)
  return {
    name: 'headgate.events',
    level: LEVELS.warning,
    message: `${items} states of task runs were given up: the API could not be reached and memory is bounded`,
    timestamp: formatTimestamp(nowMicros()),
    ...(flowRunId === undefined ? {} : { flow_run_id: flowRunId }),
  }
}

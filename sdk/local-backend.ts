import { generateName } from '../core/name.ts'
import { newState } from '../core/state.ts'
import type { JsonObject } from '../core/wire/common.ts'
import type { OrchestrationResult, State, StateCreate } from '../core/wire/state.ts'
import { formatTimestamp, MICROS_PER_SECOND, type Micros, parseTimestamp } from '../core/time.ts'
import type { Backend, Caller, FlowFacts, FlowRunRecord } from './backend.ts'
import { newId, nowMicros } from './clock.ts'
import type { LogLine } from './logger.ts'
import { printLine } from './terminal.ts'

/** Runs without an API: states are decided here by the rules that the server has for a flow run, logs are printed. */
export class LocalBackend implements Backend {
  readonly #dueTimes = new Map<string, Micros>()

  createFlowRun(
    flow: FlowFacts,
    _parameters: JsonObject,
    _caller: Caller | undefined,
  ): Promise<{ run: FlowRunRecord; ended: undefined }> {
    const run: FlowRunRecord = {
      id: newId(),
      name: generateName([Math.random(), Math.random()]),
      flowName: flow.name,
      deploymentId: undefined,
      tags: flow.tags,
      runCount: 0,
      policy: { retries: flow.retries, retry_delay: flow.retryDelaySeconds },
      related: [],
    }
    return Promise.resolve({ run, ended: undefined })
  }

  adoptPolicy(): Promise<void> {
    return Promise.resolve()
  }

  propose(run: FlowRunRecord, proposed: StateCreate): Promise<OrchestrationResult> {
    return Promise.resolve(this.#decide(run, proposed))
  }

  #decide(run: FlowRunRecord, proposed: StateCreate): OrchestrationResult {
    const now = nowMicros()
    const due = this.#dueTimes.get(run.id) ?? now
    if (proposed.type === 'RUNNING' && due > now) {
      return {
        status: 'WAIT',
        state: null,
        details: {
          type: 'wait_details',
          delay_seconds: (due - now) / MICROS_PER_SECOND,
          reason: 'Scheduled time is in the future',
        },
      }
    }
    if (
      proposed.type === 'FAILED' &&
      run.runCount > 0 &&
      run.runCount <= (run.policy.retries ?? 0)
    ) {
      const retryTime = now + (run.policy.retry_delay ?? 0) * MICROS_PER_SECOND
      this.#dueTimes.set(run.id, retryTime)
      return {
        status: 'REJECT',
        state: newState(
          {
            ...proposed,
            type: 'SCHEDULED',
            name: 'AwaitingRetry',
            state_details: { scheduled_time: formatTimestamp(retryTime) },
          },
          newId(),
          now,
        ),
        details: { type: 'reject_details', reason: 'Retrying' },
      }
    }
    return {
      status: 'ACCEPT',
      state: newState(proposed, newId(), now),
      details: { type: 'accept_details' },
    }
  }

  reportTaskRun(): void {
    // Task runs are kept by nobody here; the engine's log lines tell of them.
  }

  log(line: LogLine): void {
    printLine(line)
  }

  findCancelled(): Promise<string[]> {
    return Promise.resolve([])
  }

  flush(): Promise<boolean> {
    return Promise.resolve(true)
  }

  flushAtExit(): void {
    // All lines are printed already.
  }
}

/** When a SCHEDULED state is due; undefined when it does not say. */
export function scheduledTime(state: State): Micros | undefined {
  const text = state.state_details.scheduled_time
  return typeof text === 'string' ? parseTimestamp(text) : undefined
}

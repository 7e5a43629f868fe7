import { Client } from '../core/client.ts'
import { ApiBackend } from './api-backend.ts'
import type { Backend } from './backend.ts'
import { type FlowDefinition, type FlowOutcome, runFlow } from './engine.ts'
import { RunAborted, RunFailed } from './errors.ts'
import { LocalBackend } from './local-backend.ts'
import { toJsonParameters } from './parameters.ts'
import { guardRun } from './process-guard.ts'
import { currentScope, type Scope } from './run-context.ts'
import { apiSettings } from './settings.ts'
import { fromResultRecord } from './states.ts'
import { collectTaskInputs, resolveFutures } from './task-inputs.ts'

/**
 * Runs a flow that user code calls: as a subflow inside a flow, else as a run of its own, with the API if one is configured
 * and without one if not.
 * @throws what the flow throws; RunFailed, RunAborted
 */
export async function callFlow(definition: FlowDefinition, input: unknown): Promise<FlowOutcome> {
  const scope = currentScope()
  return scope?.flow === undefined
    ? callTopLevel(definition, input)
    : callSubflow(definition, input, scope)
}

/** The value that a caller gets of an outcome. */
export function valueOf(outcome: FlowOutcome): unknown {
  if (outcome.kind === 'stopped') {
    throw outcome.reason
  }
  if (outcome.kind === 'aborted') {
    throw new RunAborted(outcome.reason)
  }
  return endValue(outcome)
}

function endValue({ state, value, error }: FlowOutcome & { kind: 'ended' }): unknown {
  if (state.type === 'COMPLETED') {
    return value ?? fromResultRecord(state.data ?? null)?.value
  }
  throw error ?? new RunFailed(state.message ?? `the flow run ended in state ${state.name}`)
}

async function callTopLevel(definition: FlowDefinition, input: unknown): Promise<FlowOutcome> {
  const settings = apiSettings()
  const backend: Backend =
    settings === undefined
      ? new LocalBackend()
      : new ApiBackend({ client: new Client(settings), apiKey: settings.apiKey, print: true })
  const { run } = await backend.createFlowRun(
    definition,
    toJsonParameters(input, `flow '${definition.name}'`),
    undefined,
  )
  return guardRun({ backend, run, mode: 'called' }, (signal) =>
    runFlow({ definition, run, parameters: input ?? {}, backend, signal }),
  )
}

async function callSubflow(
  definition: FlowDefinition,
  input: unknown,
  { backend, flow, signal, context }: Scope,
): Promise<FlowOutcome> {
  signal.throwIfAborted()
  if (flow === undefined) {
    throw new Error('a subflow is called by a flow')
  }
  const key = `flow:${definition.name}`
  const count = flow.counters.get(key) ?? 0
  flow.counters.set(key, count + 1)
  const taskInputs = collectTaskInputs(input)
  const parameters = await resolveFutures(input ?? {})
  const { run, ended } = await backend.createFlowRun(
    definition,
    toJsonParameters(parameters, `flow '${definition.name}'`),
    { run: flow.run, taskRunId: context.taskRun?.id, count, taskInputs },
  )
  if (ended !== undefined) {
    context.logger.info("Flow run '%s' had ended in an earlier attempt: %s", run.name, ended.name)
    return { kind: 'ended', state: ended, value: undefined, error: undefined }
  }
  return runFlow({ definition, run, parameters, backend, signal })
}

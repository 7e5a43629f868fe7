import { formatTimestamp } from '#core/time.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'
import type { FlowRunInputCreate } from '#core/wire/flow-run-input.ts'
import type { OrchestrationResult, State } from '#core/wire/state.ts'
import { runInputFault } from '#domain/run-input.ts'
import { newId } from '#storage/new-id.ts'
import type { Home } from './home.ts'

/** Null: there is no such run; false: it has an input of that key. */
export async function createInput(
  home: Home,
  flowRunId: string,
  input: FlowRunInputCreate,
): Promise<boolean | null> {
  return (await home.load(flowRunId)) === undefined ? null : insertInput(home, flowRunId, input)
}

function insertInput(home: Home, flowRunId: string, input: FlowRunInputCreate): boolean {
  const now = home.now()
  const created = formatTimestamp(now)
  return home.inputs.insert(
    {
      id: newId(now),
      created,
      updated: created,
      flow_run_id: flowRunId,
      key: input.key,
      value: input.value,
      sender: input.sender ?? null,
    },
    now,
  )
}

/** Why a paused run may not go on with this input; null when it may. */
export function refusedInput(
  home: Home,
  flowRunId: string,
  paused: State,
  input: JsonObject,
): OrchestrationResult | null {
  const keyset = paused.state_details.run_input_keyset
  if (!keyset) {
    return null
  }
  const reason = runInputFault(home.inputs.find(flowRunId, keyset['schema'] ?? ''), input)
  return reason === null
    ? null
    : { state: paused, status: 'REJECT', details: { type: 'abort_details', reason } }
}

/** Keeps what the run was resumed with where it will look for it. */
export function keepResponse(
  home: Home,
  flowRunId: string,
  paused: State,
  input: Record<string, Json>,
): void {
  const key = paused.state_details.run_input_keyset?.['response']
  if (key !== undefined && Object.keys(input).length > 0) {
    insertInput(home, flowRunId, { key, value: JSON.stringify(input) })
  }
}

import type { JsonObject } from '#core/wire/common.ts'
import type { OrchestrationResult } from '#core/wire/state.ts'
import { HydrationError } from '#domain/hydration.ts'
import type { Workspace } from '#storage/workspace.ts'
import { flowRunHome, flowRunNotFound } from './flow-run-home.ts'
import { hydrateParameters } from './hydrate-parameters.ts'
import { askedBy } from './object-context.ts'
import { readFlowRunStates } from './read-flow-run.ts'

/** Resumes a run with what its user has typed in; input that can't be worked out leaves it paused. */
export async function resumeFlowRun(
  workspace: Workspace,
  id: string,
  input: JsonObject,
): Promise<OrchestrationResult> {
  const home = await flowRunHome(workspace, id)
  let hydrated = input
  try {
    hydrated = await hydrateParameters(workspace, input)
  } catch (error) {
    if (!(error instanceof HydrationError)) {
      throw error
    }
    const state = (await readFlowRunStates(workspace, id)).at(-1)
    // A run that isn't paused, or wants no input, is judged without looking at it.
    if (state?.type === 'PAUSED' && state.state_details.run_input_keyset) {
      return {
        state,
        status: 'REJECT',
        details: {
          type: 'abort_details',
          reason: `Error hydrating run input: ${error.message}`,
        },
      }
    }
  }
  const result = await home.stub.resumeFlowRun(home.context, id, hydrated, askedBy(workspace))
  if (result === null) {
    throw flowRunNotFound()
  }
  return result
}

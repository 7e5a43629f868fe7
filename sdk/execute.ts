import { readFileSync } from 'node:fs'
import { Client } from '../core/client.ts'
import { withRetry } from '../core/retry.ts'
import type { Deployment } from '../core/wire/deployment.ts'
import type { Flow } from '../core/wire/flow.ts'
import type { FlowRun } from '../core/wire/flow-run.ts'
import { ApiBackend } from './api-backend.ts'
import { type FlowDefinition, type FlowOutcome, runFlow } from './engine.ts'
import { guardRun } from './process-guard.ts'
import { apiSettings } from './settings.ts'
import { complain } from './terminal.ts'

/**
 * The method of a flow that executes one of its runs. It is found by this symbol, so that whatever loads a module can execute
 * its flows with the copy of the SDK that the module itself imports.
 */
export const EXECUTE: unique symbol = Symbol.for('headgate.execute')

/** A run that waits to be executed by this process. */
export interface AssignedRun {
  flow_run: FlowRun
  flow: Flow | null
  deployment: Deployment | null
}

export interface ExecuteOptions {
  /** Default: the one that the environment names. */
  assigned?: AssignedRun
}

type Environment = Record<string, string | undefined>

/**
 * The run that the environment assigns to this process: the file `HEADGATE_RUN_CONTEXT` holds it, or else
 * `HEADGATE_FLOW_RUN_ID` (or `PREFECT__FLOW_RUN_ID`) names it and the API is asked.
 * @throws Error when neither is set
 */
export async function readAssignedRun(
  client: Client,
  env: Environment = process.env,
): Promise<AssignedRun> {
  const file = env['HEADGATE_RUN_CONTEXT']
  if (file !== undefined) {
    return JSON.parse(readFileSync(file, 'utf8')) as AssignedRun
  }
  const id = env['HEADGATE_FLOW_RUN_ID'] ?? env['PREFECT__FLOW_RUN_ID']
  if (id === undefined) {
    throw new Error(
      'no flow run is assigned to this process: HEADGATE_RUN_CONTEXT or HEADGATE_FLOW_RUN_ID should be set by what starts it',
    )
  }
  const flowRun = await withRetry(() => client.readFlowRun(id))
  const deploymentId = flowRun.deployment_id
  const deployment =
    deploymentId === null ? null : await withRetry(() => client.readDeployment(deploymentId))
  return { flow_run: flowRun, flow: null, deployment }
}

/** A client and a backend for the assigned run, made of the environment. */
export function assignedBackend(purpose: string): { client: Client; backend: ApiBackend } {
  const settings = apiSettings()
  if (settings === undefined) {
    throw new Error(`${purpose} needs HEADGATE_API_URL and HEADGATE_API_KEY`)
  }
  const client = new Client(settings)
  const print = process.env['HEADGATE_RUN_CONTEXT'] === undefined
  return { client, backend: new ApiBackend({ client, apiKey: settings.apiKey, print }) }
}

/**
 * Executes a run of the flow that exists already.
 * @returns the process's exit code: 0 when the run's end is known to the server, else 1
 */
export async function execute(
  definition: FlowDefinition,
  options: ExecuteOptions,
): Promise<number> {
  const { client, backend } = assignedBackend(`executing a run of flow '${definition.name}'`)
  const assigned = options.assigned ?? (await readAssignedRun(client))
  const run = backend.adopt(assigned.flow_run, definition.name, assigned)
  const mode = process.env['HEADGATE_RUN_CONTEXT'] === undefined ? 'alone' : 'agent'
  const parameters = assigned.flow_run.parameters
  const outcome = await guardRun({ backend, run, mode }, (signal) =>
    runFlow({ definition, run, parameters, backend, signal }),
  )
  return exitCode(outcome)
}

function exitCode(outcome: FlowOutcome): number {
  if (outcome.kind === 'aborted') {
    complain(`the flow run is not executed further: ${outcome.reason}`)
    return outcome.lost ? 1 : 0
  }
  return outcome.kind === 'ended' ? 0 : 1
}

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ApiBackend } from './api-backend.ts'
import { describeError, explainError } from './errors.ts'
import { type AssignedRun, assignedBackend, EXECUTE, readAssignedRun } from './execute.ts'
import { Logger } from './logger.ts'
import { proposal } from './states.ts'

/** How long the report of a flow that could not be loaded may take. */
const REPORT_MS = 30_000

/** A flow as it is found in a module, whichever copy of the SDK made it. */
interface Executable {
  readonly flowName: string
  [EXECUTE](options?: { assigned?: AssignedRun }): Promise<number>
}

/** Whether a value is a flow. */
function isFlow(value: unknown): value is Executable {
  return typeof value === 'function' && EXECUTE in value
}

/**
 * Loads the flow that an entrypoint names.
 * @param entrypoint `path/file.ts:exportName`; the name may be left out when the module exports one flow
 * @param directory what the path is relative to
 * @throws Error saying what was looked for and what is there
 */
async function loadFlow(
  entrypoint: string,
  directory: string = process.cwd(),
): Promise<Executable> {
  const { path, exportName } = splitEntrypoint(entrypoint)
  const file = resolve(directory, path)
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>
  const flows = Object.entries(module).filter(([, value]) => isFlow(value))
  const found = exportName === undefined ? onlyOf(flows) : module[exportName]
  if (!isFlow(found)) {
    const names = flows.map(([name]) => name).join(', ') || 'none'
    throw new Error(
      `entrypoint '${entrypoint}' should name a flow that ${file} exports; its flows are: ${names}`,
    )
  }
  return found
}

function onlyOf(flows: [string, unknown][]): unknown {
  return flows.length === 1 ? flows[0]?.[1] : undefined
}

/** Splits at the last colon, if a name follows it: a Windows path has one of its own. */
function splitEntrypoint(entrypoint: string): { path: string; exportName: string | undefined } {
  const match = /^(?<path>.+):(?<name>[\p{L}_$][\p{L}\p{N}_$]*)$/u.exec(entrypoint)
  return {
    path: match?.groups?.['path'] ?? entrypoint,
    exportName: match?.groups?.['name'],
  }
}

/**
 * Executes the run that is assigned to this process: loads its deployment's entrypoint, relative to the working directory, and
 * executes it. A flow that can't be loaded fails the run, with the reason in its log.
 * @returns the process's exit code: 0 when the run's end is known to the server, else 1
 */
export async function executeAssignedRun(): Promise<number> {
  const { client, backend } = assignedBackend('executing a flow run')
  const assigned = await readAssignedRun(client)
  let found: Executable
  try {
    found = await loadFlow(entrypointOf(assigned))
  } catch (error) {
    return failToLoad(backend, assigned, error)
  }
  return found[EXECUTE]({ assigned })
}

function entrypointOf({ deployment, flow_run }: AssignedRun): string {
  if (typeof deployment?.entrypoint !== 'string') {
    throw new Error(
      `flow run '${flow_run.name}' has no entrypoint: its deployment should name one, as path/file.ts:flow`,
    )
  }
  return deployment.entrypoint
}

async function failToLoad(
  backend: ApiBackend,
  assigned: AssignedRun,
  error: unknown,
): Promise<number> {
  const run = backend.adopt(assigned.flow_run, assigned.flow?.name ?? 'flow', assigned)
  const logger = new Logger({
    name: 'headgate.flow_runs',
    speaker: `flow run '${run.name}'`,
    flowRunId: run.id,
    sink: backend.log,
  })
  logger.error('The flow could not be loaded: %s', explainError(error))
  await backend.flush(REPORT_MS)
  const message = `The flow could not be loaded: ${describeError(error)}`
  const state = proposal('FAILED', { message })
  return backend.propose(run, state, AbortSignal.timeout(REPORT_MS)).then(
    () => 0,
    () => 1,
  )
}

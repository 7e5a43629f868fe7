import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { JsonObject } from '../../core/wire/common.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError, usageError } from './cli-error.ts'
import { pythonFlowName } from './python-flow.ts'

/** What a deployment takes from the code of its flow. */
export interface FlowSource {
  flowName: string
  description: string | undefined
  /** Undefined where the code can't be asked: a flow in Python. */
  parameterSchema: JsonObject | undefined
}

/** What the SDK's flow objects offer, whichever copy of the SDK made them. */
interface SdkFlow {
  flowName: string
  description: string | undefined
  parameterSchema(): JsonObject
}

/** The method by which a flow is executed: what has it is a flow. */
const EXECUTE = Symbol.for('headgate.execute')

const SCRIPT = /^(.+\.(?:ts|mts|js|mjs)):([A-Za-z_$][\w$]*)$/
const PYTHON = /^(.+\.py):([A-Za-z_]\w*)$/

/** Whether a word names code (`flows.ts:hello`) rather than a deployment. */
export function isEntrypoint(word: string): boolean {
  return SCRIPT.test(word) || PYTHON.test(word)
}

/**
 * Reads what an entrypoint's flow is called and takes. A TypeScript or JavaScript module is imported, so its top level runs.
 * @param folder absolute; the entrypoint is relative to it
 * @param flowName given by the project file; goes before what the code of a Python flow says
 */
export async function readFlowSource(
  folder: string,
  entrypoint: string,
  flowName?: string | null,
): Promise<FlowSource> {
  const script = SCRIPT.exec(entrypoint)
  if (script !== null) {
    return await readScript(folder, entrypoint, script[1] ?? '', script[2] ?? '')
  }
  if (flowName != null) {
    return { flowName, description: undefined, parameterSchema: undefined }
  }
  const python = PYTHON.exec(entrypoint)
  if (python === null) {
    throw usageError(
      `The entrypoint '${entrypoint}' is not of the form path/file.ts:name or path/file.py:name.`,
    )
  }
  const [path = '', name = ''] = python.slice(1)
  const found = pythonFlowName(readSource(folder, path), name)
  if (found === undefined) {
    throw usageError(`${path} defines no function '${name}', which '${entrypoint}' names.`)
  }
  return { flowName: found, description: undefined, parameterSchema: undefined }
}

async function readScript(
  folder: string,
  entrypoint: string,
  path: string,
  name: string,
): Promise<FlowSource> {
  readSource(folder, path)
  const exports = await importModule(resolve(folder, path), path)
  const value = exports[name]
  if (value === undefined) {
    const names = Object.keys(exports).join(', ') || 'nothing'
    throw usageError(`${path} does not export '${name}'; it exports ${names}.`)
  }
  if (!isSdkFlow(value)) {
    throw usageError(
      `'${name}' of ${path} is not a flow, so '${entrypoint}' can't be deployed.`,
      "Make it one with `flow({ name: … }, …)` of the package 'headgate'.",
    )
  }
  return {
    flowName: value.flowName,
    description: value.description,
    parameterSchema: value.parameterSchema(),
  }
}

async function importModule(file: string, path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    throw new CliError(EXIT.failure, `${path} can't be imported: ${reason}`)
  }
}

function isSdkFlow(value: unknown): value is SdkFlow {
  return (
    (typeof value === 'function' || (typeof value === 'object' && value !== null)) &&
    typeof (value as { [EXECUTE]?: unknown })[EXECUTE] === 'function'
  )
}

function readSource(folder: string, path: string): string {
  try {
    return readFileSync(resolve(folder, path), 'utf8')
  } catch (error) {
    throw usageError(`${path} can't be read: ${(error as Error).message}.`)
  }
}

import { dirname, isAbsolute, join } from 'node:path'
import type { JsonObject } from '../../core/wire/common.ts'
import type { ClaimedRun } from '../../core/wire/execution.ts'
import { RefusedRun } from './driver.ts'
import { runEnvironment } from './run-environment.ts'
import { splitShellWords } from './shell-words.ts'

/** What the process driver is to start, decided before anything is touched. */
export interface ProcessSpec {
  command: [string, ...string[]]
  /** The command is Prefect's engine, in the Python that `command` begins with. */
  needsPrefect: boolean
  /** The command is not the job's but `headgate` itself, for a flow in TypeScript. */
  isOurs: boolean
  /** The file of the entrypoint, as it is written there; undefined where it names a Python module. */
  loads: string | undefined
  env: Record<string, string>
  /** Where programs are looked for. */
  path: string
  /** Absolute; undefined: a fresh temporary folder. */
  workingDirectory: string | undefined
  /** To be done by the driver; empty where Prefect's engine does them itself. */
  pullSteps: JsonObject[]
}

export interface ProcessFacts {
  claimed: ClaimedRun
  folderPath: string
  apiUrl: string
  headgateScript: string
  /** The Node that runs the agent. */
  nodePath: string
  /** The engine must load the claimed entrypoint, not what the API tells it when it asks. */
  pinned: boolean
  hostEnv: Record<string, string | undefined>
}

const ENGINE = 'prefect.engine'

/** @throws RefusedRun when the job configuration or the deployment does not say what to run */
export function processSpec(facts: ProcessFacts): ProcessSpec {
  const { deployment, flow_run: flowRun, job_configuration: job } = facts.claimed
  const asked = commandWords(job['command'])
  const command = runCommand(facts, asked)
  const pullsItself = isPython(deployment?.entrypoint) && !facts.pinned
  const pullSteps = pullsItself ? [] : (deployment?.pull_steps ?? [])
  const directory = workingDirectory(facts, pullSteps)
  const env = runEnvironment({
    hostEnv: facts.hostEnv,
    jobEnv: jobObject(job, 'env'),
    apiUrl: facts.apiUrl,
    runToken: facts.claimed.run_token,
    flowRunId: flowRun.id,
    contextPath: join(facts.folderPath, 'context.json'),
  })
  const isOurs = asked.length === 0 && command[1] === facts.headgateScript
  return {
    command,
    needsPrefect: command.includes(ENGINE),
    isOurs,
    loads: entrypointFile(deployment?.entrypoint),
    env: {
      ...(isOurs && directory !== undefined ? compileCache(facts) : {}),
      ...env,
      ...(facts.pinned ? pinnedEntrypoint(deployment?.entrypoint) : {}),
    },
    path: env['PATH'] ?? '',
    pullSteps,
    workingDirectory: directory,
  }
}

function runCommand(
  { claimed, headgateScript, nodePath }: ProcessFacts,
  asked: readonly string[],
): [string, ...string[]] {
  const [program, ...rest] = asked
  if (program !== undefined) {
    return [program, ...rest]
  }
  const entrypoint = claimed.deployment?.entrypoint
  if (entrypoint === undefined || entrypoint === null || entrypoint === '') {
    throw new RefusedRun(
      `nothing to run: the deployment has no entrypoint and the job configuration no command; set one of them`,
    )
  }
  if (isPython(entrypoint)) {
    return ['python', '-m', ENGINE]
  }
  if (/\.[cm]?[jt]s(:[^:]*)?$/.test(entrypoint)) {
    return [nodePath, headgateScript, 'flow-run', 'execute']
  }
  throw new RefusedRun(
    `the entrypoint '${entrypoint}' is neither TypeScript or JavaScript (path/file.ts:flow) nor Python (path/file.py:flow); set the job variable 'command' to say how it is run`,
  )
}

/**
 * Node compiles `headgate`, the SDK and the flow once per agent instead of once per run: half of the time that a run takes to
 * start. Not for code that lies in the run's own folder: files under ever new names would fill the cache without end.
 */
function compileCache({ folderPath }: ProcessFacts): Record<string, string> {
  const agentFolder = dirname(dirname(folderPath))
  return { NODE_COMPILE_CACHE: join(agentFolder, 'compile-cache') }
}

function commandWords(command: unknown): string[] {
  if (command === undefined || command === null) {
    return []
  }
  if (Array.isArray(command) && command.every((word) => typeof word === 'string')) {
    return command
  }
  if (typeof command !== 'string') {
    throw new RefusedRun(
      `the job variable 'command' must be a string, got ${JSON.stringify(command)}`,
    )
  }
  try {
    return splitShellWords(command)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RefusedRun(`the job variable 'command' cannot be read: ${reason}: ${command}`)
  }
}

/** `path/file.py:flow`, or a Python module path such as `package.module.flow`. */
function isPython(entrypoint: string | null | undefined): boolean {
  return (
    typeof entrypoint === 'string' &&
    (/\.py(:[^:]*)?$/.test(entrypoint) || /^\w+(\.\w+)+$/.test(entrypoint)) &&
    !/\.[cm]?[jt]s(:[^:]*)?$/.test(entrypoint)
  )
}

/** The file of `path/file.ts:flow` or `path/file.py:flow`. */
function entrypointFile(entrypoint: string | null | undefined): string | undefined {
  return /^(?<file>.+\.(?:py|[cm]?[jt]s))(?::[^:]*)?$/.exec(entrypoint ?? '')?.groups?.['file']
}

/** With it Prefect's engine loads this, and does not ask the API for the deployment. */
function pinnedEntrypoint(entrypoint: string | null | undefined): Record<string, string> {
  return entrypoint && isPython(entrypoint) ? { PREFECT__FLOW_ENTRYPOINT: entrypoint } : {}
}

/** The job's own; else where the deployment says its code lies, unless its pull steps bring it; else undefined. */
function workingDirectory(facts: ProcessFacts, pullSteps: JsonObject[]): string | undefined {
  const asked = facts.claimed.job_configuration['working_dir']
  if (asked !== undefined && asked !== null && asked !== '') {
    if (typeof asked !== 'string' || !isAbsolute(asked)) {
      throw new RefusedRun(
        `the job variable 'working_dir' must be an absolute path on the agent's host, got ${JSON.stringify(asked)}`,
      )
    }
    return asked
  }
  const path = facts.claimed.deployment?.path
  return typeof path === 'string' && isAbsolute(path) && pullSteps.length === 0 ? path : undefined
}

function jobObject(job: JsonObject, field: string): JsonObject {
  const value = job[field] ?? {}
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new RefusedRun(
      `the job variable '${field}' must be an object, got ${JSON.stringify(value)}`,
    )
  }
  return value
}

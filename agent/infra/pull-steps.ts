import type { Json, JsonObject } from '../../core/wire/common.ts'
import { RefusedRun } from './driver.ts'

/** A deployment's pull step, read and checked: how its code gets to where it is run. */
export type PullStep =
  | { kind: 'set_working_directory'; id: string | undefined; directory: string }
  | {
      kind: 'git_clone'
      id: string | undefined
      repository: string
      branch: string | undefined
      commitSha: string | undefined
      accessToken: string | undefined
      includeSubmodules: boolean
      /** Only these folders are checked out. */
      directories: string[]
      /** The folder that is made. */
      into: string
    }
  | {
      kind: 'run_shell_script'
      id: string | undefined
      script: string
      env: Record<string, string>
      directory: string | undefined
    }

/** What earlier steps gave: `{{ step-id.directory }}`; the variables of the run: `{{ $NAME }}`. */
export interface StepFacts {
  outputs: Record<string, Record<string, string>>
  env: Record<string, string>
}

const STEPS_MODULE = 'prefect.deployments.steps.'

/**
 * Reads one entry of a deployment's `pull_steps`: an object whose only key names the step, as in Prefect.
 * @throws RefusedRun naming what is wrong: an unknown step, a missing field, a placeholder that nothing fills
 */
export function parsePullStep(entry: JsonObject, facts: StepFacts): PullStep {
  const [name, ...others] = Object.keys(entry)
  if (name === undefined || others.length > 0) {
    throw new RefusedRun(
      `a pull step must be an object with one key, the step's name; got the keys ${JSON.stringify(Object.keys(entry))}`,
    )
  }
  const body = fillPlaceholders(entry[name] ?? {}, name, facts)
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw new RefusedRun(`pull step '${name}' needs an object with its inputs`)
  }
  const input = new StepInput(name, body)
  const id = input.optional('id')
  switch (name.startsWith(STEPS_MODULE) ? name.slice(STEPS_MODULE.length) : name) {
    case 'set_working_directory':
      return { kind: 'set_working_directory', id, directory: input.required('directory') }
    case 'git_clone':
      return gitClone(input, id)
    case 'run_shell_script':
      return {
        kind: 'run_shell_script',
        id,
        script: input.required('script'),
        env: input.strings('env'),
        directory: input.optional('directory'),
      }
    default:
      throw new RefusedRun(
        `pull step '${name}' is not one that this agent knows; it knows ${STEPS_MODULE}set_working_directory, git_clone and run_shell_script`,
      )
  }
}

function gitClone(input: StepInput, id: string | undefined): PullStep {
  const repository = input.required('repository')
  const branch = input.optional('branch')
  if (input.has('credentials')) {
    throw new RefusedRun(
      `pull step 'git_clone' has 'credentials', which only Prefect can load; give 'access_token' instead`,
    )
  }
  const name =
    repository
      .replace(/\/+$/, '')
      .split(/[/:]/)
      .at(-1)
      ?.replace(/\.git$/, '') ?? ''
  const into = input.optional('clone_directory_name') ?? [name, branch].filter(Boolean).join('-')
  if (name === '' || !/^[^/\0]+$/.test(into.replaceAll('/', '-')) || into === '..') {
    throw new RefusedRun(`pull step 'git_clone' cannot tell a folder from '${repository}'`)
  }
  return {
    kind: 'git_clone',
    id,
    repository,
    branch,
    commitSha: input.optional('commit_sha'),
    accessToken: input.optional('access_token'),
    includeSubmodules: input.flag('include_submodules'),
    directories: input.list('directories'),
    into: into.replaceAll('/', '-'),
  }
}

/** The inputs of one step, read with messages that name the step and the field. */
class StepInput {
  readonly #step: string
  readonly #body: JsonObject

  constructor(step: string, body: JsonObject) {
    this.#step = step
    this.#body = body
  }

  has(field: string): boolean {
    return this.#body[field] !== undefined && this.#body[field] !== null
  }

  optional(field: string): string | undefined {
    const value = this.#body[field]
    if (value === undefined || value === null || value === '') {
      return undefined
    }
    if (typeof value !== 'string') {
      throw this.#wrong(field, 'a string', value)
    }
    return value
  }

  required(field: string): string {
    const value = this.optional(field)
    if (value === undefined) {
      throw new RefusedRun(`pull step '${this.#step}' needs '${field}'`)
    }
    return value
  }

  flag(field: string): boolean {
    const value = this.#body[field] ?? false
    if (typeof value !== 'boolean') {
      throw this.#wrong(field, 'true or false', value)
    }
    return value
  }

  list(field: string): string[] {
    const value = this.#body[field] ?? []
    if (!Array.isArray(value)) {
      throw this.#wrong(field, 'a list of strings', value)
    }
    return value.map((entry) => {
      if (typeof entry !== 'string') {
        throw this.#wrong(field, 'a list of strings', value)
      }
      return entry
    })
  }

  strings(field: string): Record<string, string> {
    const value = this.#body[field] ?? {}
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#wrong(field, 'an object of strings', value)
    }
    const strings = Object.entries(value).map(([key, entry]) => {
      if (entry !== null && typeof entry === 'object') {
        throw this.#wrong(field, 'an object of strings', value)
      }
      return [key, String(entry)] as const
    })
    return Object.fromEntries(strings)
  }

  #wrong(field: string, expected: string, value: Json): RefusedRun {
    return new RefusedRun(
      `pull step '${this.#step}' needs ${expected} as '${field}', got ${JSON.stringify(value)}`,
    )
  }
}

function fillPlaceholders(value: Json, step: string, facts: StepFacts): Json {
  if (typeof value === 'string') {
    return value.replaceAll(/\{\{\s*(.*?)\s*\}\}/g, (_, name: string) =>
      findPlaceholder(name, step, facts),
    )
  }
  if (Array.isArray(value)) {
    return value.map((entry) => fillPlaceholders(entry, step, facts))
  }
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, fillPlaceholders(entry, step, facts)]),
    )
  }
  return value
}

function findPlaceholder(name: string, step: string, facts: StepFacts): string {
  const [id = '', output = ''] = name.split(/\.(?=[^.]*$)/)
  const value = name.startsWith('$') ? facts.env[name.slice(1)] : facts.outputs[id]?.[output]
  if (value === undefined) {
    throw new RefusedRun(
      `pull step '${step}' uses {{ ${name} }}, which is neither an output of an earlier step nor a variable of the run's environment`,
    )
  }
  return value
}

import { UpstreamFailed } from './errors.ts'
import { TaskFuture } from './task-future.ts'
import type { TaskInputs } from './task-run.ts'

/** Which task run gave an object; so that a value which was awaited first still shows where it came from. */
const origins = new WeakMap<object, string>()

/** Remembers that a task run gave this value. */
export function rememberOrigin(value: unknown, taskRunId: string): void {
  if (typeof value === 'object' && value !== null) {
    origins.set(value, taskRunId)
  }
}

/** Which task runs feed each parameter, as the run graph wants it. */
export function collectTaskInputs(
  input: unknown,
  waitFor: readonly TaskFuture<unknown>[] = [],
): TaskInputs {
  const inputs: TaskInputs = {}
  const parameters = isPlainObject(input) ? input : input === undefined ? {} : { input }
  for (const [name, value] of Object.entries(parameters)) {
    inputs[name] = sourcesOf(value)
  }
  if (isPlainObject(input) && origins.has(input)) {
    inputs['__input__'] = toInputs([origins.get(input) ?? ''])
  }
  if (waitFor.length > 0) {
    inputs['wait_for'] = toInputs(waitFor.map((future) => future.taskRunId))
  }
  return inputs
}

function sourcesOf(value: unknown): TaskInputs[string] {
  const ids = new Set<string>()
  visit(value, new Set(), (found) => {
    const id = found instanceof TaskFuture ? found.taskRunId : origins.get(found)
    if (id !== undefined) {
      ids.add(id)
    }
  })
  return toInputs([...ids])
}

function toInputs(ids: string[]): TaskInputs[string] {
  return ids.map((id) => ({ input_type: 'task_run', id }))
}

/** Calls `found` with every future, array and plain object within the value. */
function visit(value: unknown, seen: Set<object>, found: (value: object) => void): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) {
    return
  }
  seen.add(value)
  found(value)
  if (Array.isArray(value) || isPlainObject(value)) {
    for (const part of Object.values(value)) {
      visit(part, seen, found)
    }
  }
}

/**
 * The value with each future in it (in arrays and plain objects, at any depth) replaced by what it gives.
 * @throws UpstreamFailed when one of them did not complete
 */
export async function resolveFutures(value: unknown): Promise<unknown> {
  const futures = new Set<TaskFuture<unknown>>()
  visit(value, new Set(), (found) => {
    if (found instanceof TaskFuture) {
      futures.add(found)
    }
  })
  if (futures.size === 0) {
    return value
  }
  const values = new Map<object, unknown>()
  await Promise.all(
    [...futures].map(async (future) => {
      values.set(future, await completed(future))
    }),
  )
  return replaced(value, values)
}

/** Waits for futures whose values are not wanted. */
export async function awaitAll(futures: readonly TaskFuture<unknown>[]): Promise<void> {
  await Promise.all(futures.map((future) => completed(future)))
}

async function completed<T>(future: TaskFuture<T>): Promise<T> {
  try {
    return await future.result()
  } catch (error) {
    throw new UpstreamFailed(
      `Upstream task run '${future.taskRunName}' did not reach a 'COMPLETED' state.`,
      { cause: error },
    )
  }
}

/** `values` holds futures first and then every container already rebuilt, so that shared and circular parts stay so. */
function replaced(value: unknown, values: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) {
    return value
  }
  if (values.has(value)) {
    return values.get(value)
  }
  if (Array.isArray(value)) {
    const copy: unknown[] = []
    values.set(value, copy)
    copy.push(...value.map((part: unknown) => replaced(part, values)))
    return copy
  }
  if (isPlainObject(value)) {
    const copy: Record<string, unknown> = {}
    values.set(value, copy)
    for (const [name, part] of Object.entries(value)) {
      copy[name] = replaced(part, values)
    }
    return copy
  }
  return value
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) {
    return false
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

import type { Json, JsonObject } from '#core/wire/common.ts'
import { hydrate, HydrationError, isHydrated, type HydrationContext } from '#domain/hydration.ts'
import { DomainError } from '#domain/errors.ts'
import { listVariablesByNames } from '#storage/variables.ts'
import type { Workspace } from '#storage/workspace.ts'

/** Names may come out of other variables; so many steps are more than anybody needs. */
const MAX_ROUNDS = 5

/**
 * Parameters with the workspace's variables and templates in them worked out. Only the variables that are named are read.
 * Throws HydrationError.
 */
export async function hydrateParameters(
  workspace: Workspace,
  parameters: JsonObject,
  context: Omit<HydrationContext, 'variable'> = {},
): Promise<JsonObject> {
  if (isHydrated(parameters)) {
    return parameters
  }
  const known = new Map<string, Json | undefined>()
  for (let round = 0; ; round += 1) {
    const unread = new Set<string>()
    const variable = (name: string): Json | undefined => {
      if (!known.has(name) && round < MAX_ROUNDS) {
        unread.add(name)
        // Stands in until it is read; what is made of it is thrown away.
        return ''
      }
      return known.get(name)
    }
    const result = attempt(() => hydrate(parameters, { ...context, variable }))
    if (unread.size === 0) {
      return result()
    }
    const found = await listVariablesByNames(workspace, [...unread])
    const secret = found.find((one) => one.secret === true)
    if (secret !== undefined) {
      // Parameters are shown to everybody.
      throw new HydrationError(
        `Variable '${secret.name}' is secret, and parameters are not: read it in the flow.`,
      )
    }
    for (const name of unread) {
      known.set(name, found.find((one) => one.name === name)?.value)
    }
  }
}

/** A fault counts only when every variable has been read. */
function attempt<T>(make: () => T): () => T {
  try {
    const made = make()
    return () => made
  } catch (error) {
    return () => {
      throw error
    }
  }
}

/** The same for a request: what is wrong is answered with 400. */
export async function hydrateRequest(
  workspace: Workspace,
  parameters: JsonObject,
  prefix: string,
): Promise<JsonObject> {
  try {
    return await hydrateParameters(workspace, parameters)
  } catch (error) {
    if (error instanceof HydrationError) {
      throw new DomainError('bad_request', `${prefix}${error.message}`, { cause: error })
    }
    throw error
  }
}

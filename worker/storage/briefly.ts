import type { Workspace } from './workspace.ts'

/** D1 answers in milliseconds; after so long it counts as away for whoever can do without its answer. */
const PATIENCE_MS = 1000
/** While it is known to be silent nobody waits so long again. */
const SILENT_FOR_MS = 5000
const SHORT_PATIENCE_MS = 50

/** Stores that did not answer in time, with when that was. */
const silentSince = new Map<string, number>()

/** Waits a moment for an answer of the store that one can do without. @throws Error when it takes longer, or fails */
export async function briefly<T>(workspace: Workspace, answer: Promise<T>): Promise<T> {
  const { store_name: store } = workspace
  const isSilent = Date.now() - (silentSince.get(store) ?? 0) < SILENT_FOR_MS
  const patience = isSilent ? SHORT_PATIENCE_MS : PATIENCE_MS
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    if (!isSilent) {
      silentSince.set(store, Date.now())
    }
    late.reject(new Error(`the store did not answer within ${patience} ms`))
  }, patience)
  try {
    return await Promise.race([answer, late.promise])
  } finally {
    // A timer that goes on would keep an object awake, and billed.
    clearTimeout(timer)
  }
}

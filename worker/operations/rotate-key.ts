import { resealBlockDocuments } from '#storage/block-documents.ts'
import { resealVariables } from '#storage/variables.ts'
import { keyRing, KEYS_FRESH_MICROS } from '#storage/workspace-keys.ts'
import type { JobKind } from './job-kind.ts'

interface Rest {
  /** What is being gone through; absent: documents. */
  of?: 'documents' | 'variables'
  /** The last of them that was sealed anew. */
  after: string
  /** Whether all were gone through once. */
  again: boolean
}

/** A step reads and writes each of them on its own. */
const STEP_ROWS = 50
/** By then no isolate seals with the key that was before. */
const SETTLED_MS = KEYS_FRESH_MICROS / 1000 + 5000

const LOCKED = 'sealed by a secret that is not in HEADGATE_PREVIOUS_SECRETS'

/**
 * Gives the workspace a new key, and seals its secrets anew with it, twice: another isolate may go on with the key before for a
 * moment. All of them can be read all the while.
 */
export const rotateKeyJob: JobKind<null, Rest> = {
  mustEnd: true,
  step: async (workspace, { id, left, now }) => {
    if (left === null) {
      await keyRing.rotate(workspace, id, now)
      return { left: { after: '', again: false } }
    }
    const isLast = left.of === 'variables'
    const reseal = isLast ? resealVariables : resealBlockDocuments
    const { sealed, locked, last } = await reseal(workspace, left.after, STEP_ROWS)
    const told = {
      done: sealed,
      ...(left.again && locked > 0 ? { skipped: { [LOCKED]: locked } } : {}),
    }
    if (last !== null) {
      return { left: { ...left, after: last }, ...told }
    }
    if (!isLast) {
      return { left: { ...left, of: 'variables', after: '' }, ...told }
    }
    return left.again
      ? { left: null, ...told }
      : { left: { after: '', again: true }, afterMs: SETTLED_MS, ...told }
  },
}

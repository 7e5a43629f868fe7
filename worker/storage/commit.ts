import { sql, type Column, type SQL } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { Workspace } from './workspace.ts'

export type Statement = BatchItem<'sqlite'>

/**
 * `committed`: all of it is stored. `taken`: a unique name is in use, nothing is stored. `stale`: another change came first,
 * nothing is stored; read again, decide again.
 */
export type CommitResult = 'committed' | 'taken' | 'stale'

/**
 * The next version of a row that was read at version `expected`. When the row has moved on since, this is null, which the
 * column refuses, and the refusal undoes the whole batch: D1 has no other way to make a batch depend on what was read.
 */
export function nextVersion(column: Column, expected: number): SQL {
  return sql`CASE WHEN ${column} = ${expected} THEN ${expected + 1} END`
}

/** Runs the statements as one transaction. */
export async function commit(workspace: Workspace, statements: Statement[]): Promise<CommitResult> {
  const [first, ...rest] = statements
  if (first === undefined) {
    return 'committed'
  }
  try {
    await workspace.store.batch([first, ...rest])
    return 'committed'
  } catch (error) {
    const reason = refusal(error)
    if (reason === undefined) {
      throw error
    }
    return reason
  }
}

function refusal(error: unknown): CommitResult | undefined {
  const text = messages(error)
  if (text.includes('UNIQUE constraint failed')) {
    return 'taken'
  }
  // A row that this one refers to has just been deleted: whoever reads again sees that.
  const moved = /NOT NULL constraint failed: \w+\.version_number|FOREIGN KEY constraint failed/
  return moved.test(text) ? 'stale' : undefined
}

/** Drizzle and D1 each wrap SQLite's error in their own. */
function messages(error: unknown): string {
  return error instanceof Error ? `${error.message} ${messages(error.cause)}` : ''
}

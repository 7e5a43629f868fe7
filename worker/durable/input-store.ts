import type { FlowRunInput, FlowRunInputsQuery } from '#core/wire/flow-run-input.ts'

/** What people and other runs have sent to the runs of a home; `position` is when it came. */
export const INPUT_TABLE = `CREATE TABLE input (
  flow_run_id TEXT NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL,
  id TEXT NOT NULL, created TEXT NOT NULL, value TEXT NOT NULL, sender TEXT,
  PRIMARY KEY (flow_run_id, key)
) WITHOUT ROWID`

/** As many as a page of any list. */
const MAX_INPUTS = 200

interface InputRow extends Record<string, SqlStorageValue> {
  flow_run_id: string
  key: string
  id: string
  created: string
  value: string
  sender: string | null
}

export class InputStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** @returns false when the run has an input of that key */
  insert(input: FlowRunInput, position: number): boolean {
    return (
      this.#sql.exec(
        'INSERT OR IGNORE INTO input (flow_run_id, key, position, id, created, value, sender) VALUES (?, ?, ?, ?, ?, ?, ?)',
        input.flow_run_id,
        input.key,
        position,
        input.id,
        input.created,
        input.value,
        input.sender,
      ).rowsWritten > 0
    )
  }

  find(flowRunId: string, key: string): string | null {
    const [row] = this.#sql
      .exec<InputRow>('SELECT * FROM input WHERE flow_run_id = ? AND key = ?', flowRunId, key)
      .toArray()
    return row?.value ?? null
  }

  /** Those whose keys begin so, the oldest first. */
  list(flowRunId: string, query: FlowRunInputsQuery): FlowRunInput[] {
    return this.#sql
      .exec<InputRow>(
        `SELECT * FROM input WHERE flow_run_id = ?1 AND substr(key, 1, length(?2)) = ?2
         AND key NOT IN (SELECT value FROM json_each(?3)) ORDER BY position LIMIT ?4`,
        flowRunId,
        query.prefix,
        JSON.stringify(query.exclude_keys ?? []),
        Math.min(query.limit ?? 1, MAX_INPUTS),
      )
      .toArray()
      .map(toInput)
  }

  /** All that the home has, in the order of their runs and keys. */
  after(flowRunId: string, key: string, limit: number): FlowRunInput[] {
    return this.#sql
      .exec<InputRow>(
        'SELECT * FROM input WHERE (flow_run_id, key) > (?, ?) ORDER BY flow_run_id, key LIMIT ?',
        flowRunId,
        key,
        limit,
      )
      .toArray()
      .map(toInput)
  }

  /** @returns whether there was one */
  remove(flowRunId: string, key: string): boolean {
    const { rowsWritten } = this.#sql.exec(
      'DELETE FROM input WHERE flow_run_id = ? AND key = ?',
      flowRunId,
      key,
    )
    return rowsWritten > 0
  }

  removeAll(flowRunId: string): void {
    this.#sql.exec('DELETE FROM input WHERE flow_run_id = ?', flowRunId)
  }
}

function toInput({ id, created, flow_run_id, key, value, sender }: InputRow): FlowRunInput {
  return { id, created, updated: created, flow_run_id, key, value, sender }
}

import { isTerminalType } from '#domain/flow-run.ts'
import type { TaskRunRecord } from '#domain/task-run.ts'
import type { TaskRunKey } from '#storage/task-runs.ts'
import { DepartedStore } from './departed-store.ts'

/** The stream's first tables; `event-log` has rebuilt those of events. */
export const EVENT_TABLES: readonly string[] = [
  // Task runs that are in progress, or were a while ago; all others lie in the store alone.
  `CREATE TABLE task_run (
    id TEXT PRIMARY KEY,
    flow_run_id TEXT,
    task_key TEXT NOT NULL,
    dynamic_key TEXT NOT NULL,
    merged INTEGER NOT NULL,   -- 0: the store may have an older row of it, which nobody has looked for yet
    deleted INTEGER NOT NULL,
    terminal INTEGER NOT NULL,
    touched INTEGER NOT NULL,  -- milliseconds
    body TEXT NOT NULL         -- TaskRunRecord
  ) WITHOUT ROWID`,
  'CREATE INDEX task_run_by_natural_key ON task_run (flow_run_id, task_key, dynamic_key)',
  // Events, many to a row, a JSON text per line of text, in the order of their arrival.
  `CREATE TABLE event_chunk (
    position INTEGER PRIMARY KEY,
    received INTEGER NOT NULL, -- milliseconds; of the last one in it
    count INTEGER NOT NULL,
    body TEXT NOT NULL
  )`,
  // Which events have arrived. A task run's state is not here: its task run tells, and costs no row.
  'CREATE TABLE event_id (id TEXT PRIMARY KEY, chunk INTEGER NOT NULL) WITHOUT ROWID',
  // Flow runs that were deleted: what still arrives of their task runs is not recorded. told: the store knows.
  `CREATE TABLE deleted_flow_run (
    id TEXT PRIMARY KEY, time INTEGER NOT NULL, told INTEGER NOT NULL
  ) WITHOUT ROWID`,
  // Rows that the store refuses by themselves, for a person to look at.
  'CREATE TABLE fault (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, error TEXT NOT NULL) WITHOUT ROWID',
  'CREATE TABLE marker (one INTEGER PRIMARY KEY CHECK (one = 1), dirty INTEGER NOT NULL)',
]

/**
 * A task run that has ended stays this long: as long as a client might still send one of its events again, so that those are
 * known as such without a look into the store.
 */
export const ENDED_STAYS_MS = 15 * 60_000
/** One that has not ended stays longer; its process may be silent for hours, or may have been killed. */
const OPEN_STAYS_MS = 24 * 3_600_000
const SWEEP_PAUSE_MS = 60_000
/** As long as events may be sent again. */
const DELETED_STAYS_MS = 7 * 24 * 3_600_000

export class TaskRunStore {
  readonly departed: DepartedStore<TaskRunRecord>
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.departed = new DepartedStore(sql)
  }

  find(id: string): TaskRunRecord | undefined {
    return this.#records('id = ?', id)[0]
  }

  listByNaturalKeys(keys: readonly TaskRunKey[]): TaskRunRecord[] {
    return this.#records(
      `(flow_run_id, task_key, dynamic_key) IN
         (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)) AND deleted = 0`,
      JSON.stringify(
        keys
          .filter((key) => key.flow_run_id !== null)
          .map((key) => [key.flow_run_id, key.task_key, key.dynamic_key]),
      ),
    )
  }

  findByState(stateId: string): TaskRunRecord | undefined {
    return this.#records('deleted = 0 AND instr(body, ?) > 0', `"${stateId}"`)[0]
  }

  list(ids: readonly string[]): TaskRunRecord[] {
    return this.#records('id IN (SELECT value FROM json_each(?))', JSON.stringify(ids))
  }

  listUnmerged(ids: readonly string[]): TaskRunRecord[] {
    return this.#records(
      'merged = 0 AND id IN (SELECT value FROM json_each(?))',
      JSON.stringify(ids),
    )
  }

  ids(): string[] {
    return this.#ids('SELECT id FROM task_run')
  }

  idsAfter(id: string, limit: number): string[] {
    return this.#ids('SELECT id FROM task_run WHERE id > ? ORDER BY id LIMIT ?', id, limit)
  }

  /** Those that follow that id, without deleted ones. */
  page(after: string, limit: number): TaskRunRecord[] {
    return this.#sql
      .exec<{ body: string }>(
        'SELECT body FROM task_run WHERE id > ? AND deleted = 0 ORDER BY id LIMIT ?',
        after,
        limit,
      )
      .toArray()
      .map(({ body }) => JSON.parse(body) as TaskRunRecord)
  }

  idsOfFlowRun(flowRunId: string): string[] {
    return this.#ids('SELECT id FROM task_run WHERE flow_run_id = ?', flowRunId)
  }

  put(run: TaskRunRecord, merged: boolean, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO task_run
         (id, flow_run_id, task_key, dynamic_key, merged, deleted, terminal, touched, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET merged = max(merged, excluded.merged),
         deleted = excluded.deleted, terminal = excluded.terminal, touched = excluded.touched,
         body = excluded.body`,
      run.id,
      run.flow_run_id,
      run.task_key,
      run.dynamic_key,
      merged ? 1 : 0,
      run.deleted ? 1 : 0,
      run.deleted || isTerminalType(run.state_type) ? 1 : 0,
      nowMs,
      JSON.stringify(run),
    )
  }

  remove(ids: readonly string[]): void {
    this.#sql.exec(
      'DELETE FROM task_run WHERE id IN (SELECT value FROM json_each(?))',
      JSON.stringify(ids),
    )
  }

  noteDeletedFlowRun(id: string, nowMs: number): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO deleted_flow_run (id, time, told) VALUES (?, ?, 0)',
      id,
      nowMs,
    )
  }

  deletedAmong(flowRunIds: readonly string[]): string[] {
    return this.#ids(
      'SELECT id FROM deleted_flow_run WHERE id IN (SELECT value FROM json_each(?))',
      JSON.stringify(flowRunIds),
    )
  }

  untoldFlowRuns(): string[] {
    return this.#ids('SELECT id FROM deleted_flow_run WHERE told = 0')
  }

  noteTold(ids: readonly string[]): void {
    this.#sql.exec(
      'UPDATE deleted_flow_run SET told = 1 WHERE id IN (SELECT value FROM json_each(?))',
      JSON.stringify(ids),
    )
  }

  noteFault(id: string, seq: number, error: string): void {
    this.#sql.exec('INSERT OR REPLACE INTO fault (id, seq, error) VALUES (?, ?, ?)', id, seq, error)
  }

  forgetFault(id: string): void {
    this.#sql.exec('DELETE FROM fault WHERE id = ?', id)
  }

  faults(): string[] {
    return this.#ids('SELECT id FROM fault')
  }

  readMarker(): boolean {
    return this.#sql.exec<{ dirty: number }>('SELECT dirty FROM marker').toArray()[0]?.dirty === 1
  }

  writeMarker(dirty: boolean): void {
    this.#sql.exec('INSERT OR REPLACE INTO marker (one, dirty) VALUES (1, ?)', dirty ? 1 : 0)
  }

  /** Lets go of task runs that the store has. `held`: what the store does not have yet. */
  sweep(held: ReadonlySet<string>, nowMs: number): void {
    const old = this.#sql
      .exec<{ id: string }>(
        `SELECT id FROM task_run
         WHERE touched <= CASE WHEN terminal = 1 THEN ? ELSE ? END AND id NOT IN (SELECT id FROM fault)`,
        nowMs - ENDED_STAYS_MS,
        nowMs - OPEN_STAYS_MS,
      )
      .toArray()
      .map(({ id }) => id)
    const gone = old.filter((id) => !held.has(id))
    this.departed.keep(this.list(gone), nowMs * 1000)
    this.remove(gone)
    this.#sql.exec(
      'DELETE FROM deleted_flow_run WHERE told = 1 AND time <= ?',
      nowMs - DELETED_STAYS_MS,
    )
  }

  /** When there will next be something to sweep, in milliseconds; null when there is nothing. */
  nextSweep(nowMs: number): number | null {
    const { ended, open } = this.#sql
      .exec<{ ended: number | null; open: number | null }>(
        `SELECT (SELECT min(touched) FROM task_run WHERE terminal = 1 AND id NOT IN (SELECT id FROM fault)) AS ended,
           (SELECT min(touched) FROM task_run WHERE terminal = 0 AND id NOT IN (SELECT id FROM fault)) AS open`,
      )
      .one()
    const times = [
      ended === null ? Infinity : ended + ENDED_STAYS_MS,
      open === null ? Infinity : open + OPEN_STAYS_MS,
    ]
    const next = Math.min(...times)
    // A row that can't go yet (the store is away) is looked at again after a while.
    return next === Infinity ? null : Math.max(next, nowMs + SWEEP_PAUSE_MS)
  }

  #records(condition: string, ...bindings: (string | number)[]): TaskRunRecord[] {
    return this.#sql
      .exec<{ body: string }>(`SELECT body FROM task_run WHERE ${condition}`, ...bindings)
      .toArray()
      .map(({ body }) => JSON.parse(body) as TaskRunRecord)
  }

  #ids(query: string, ...bindings: (string | number)[]): string[] {
    return this.#sql
      .exec<{ id: string }>(query, ...bindings)
      .toArray()
      .map(({ id }) => id)
  }
}

import { formatTimestamp, type Micros } from '#core/time.ts'
import { type Job, jobKind, type JobKindName, type JobState } from '#core/wire/job.ts'
import type { JobStep } from '../operations/job-kind.ts'

const FIRST_TABLE = `CREATE TABLE job (
  id TEXT PRIMARY KEY, body TEXT NOT NULL, at INTEGER NOT NULL, tries INTEGER NOT NULL
) WITHOUT ROWID`

/** `at`: when the next step is due, or, of one that is over, when its row goes; milliseconds. */
const JOB_TABLE = `CREATE TABLE job (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT, state TEXT NOT NULL, message TEXT,
  parameters TEXT NOT NULL, left TEXT, chosen INTEGER, done INTEGER NOT NULL, skipped TEXT NOT NULL,
  created INTEGER NOT NULL, finished INTEGER, at INTEGER NOT NULL, tries INTEGER NOT NULL
) WITHOUT ROWID`

/** A row of the first table is a flow's deletion, whose id ended with the flow's. */
const TAKE_OVER = `INSERT INTO job
  SELECT body ->> 'flow_id', body ->> 'kind', id, 'RUNNING', NULL,
    json_object('flow_id', body ->> 'flow_id'), json_remove(body, '$.kind'), NULL, 0, '{}',
    CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000, NULL, at, tries
  FROM first_job`

export const JOB_STEPS = {
  first: FIRST_TABLE,
  second: ['ALTER TABLE job RENAME TO first_job', JOB_TABLE, TAKE_OVER, 'DROP TABLE first_job'],
  third: 'ALTER TABLE job ADD COLUMN result TEXT',
} as const

/** How long a job that is over can be read. */
const KEPT_MS = 7 * 24 * 3600_000
/** The most jobs that are kept after their end. */
const MAX_FINISHED = 200
/** The most reasons that are counted apart. */
const MAX_REASONS = 20
const OTHER_REASONS = 'other reasons'

export interface NewJob {
  kind: JobKindName
  parameters: unknown
  /** Two requests with the same key are one job. */
  key: string | null
  left?: unknown
  chosen?: number | null
}

export interface KeptJob {
  id: string
  kind: JobKindName
  key: string | null
  state: JobState
  message: string | null
  parameters: unknown
  left: unknown
  result: unknown
  chosen: number | null
  done: number
  skipped: Record<string, number>
  created: Micros
  finished: Micros | null
  at: number
  tries: number
}

interface JobRow extends Record<string, SqlStorageValue> {
  id: string
  kind: string
  key: string | null
  state: string
  message: string | null
  parameters: string
  left: string | null
  result: string | null
  chosen: number | null
  done: number
  skipped: string
  created: number
  finished: number | null
  at: number
  tries: number
}

/** The rows of jobs: written and read by `Jobs` alone. */
export class JobStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  find(id: string): KeptJob | undefined {
    return this.#select('WHERE id = ?', id)[0]
  }

  findByKey(key: string): KeptJob | undefined {
    return this.#select('WHERE key = ?', key)[0]
  }

  list(limit: number): KeptJob[] {
    return this.#select('ORDER BY created DESC, id LIMIT ?', limit)
  }

  /** What the alarm has to do, the longest due first. */
  due(nowMs: number): KeptJob[] {
    return this.#select('WHERE at <= ? ORDER BY at', nowMs)
  }

  times(): { id: string; at: number }[] {
    return this.#sql.exec<{ id: string; at: number }>('SELECT id, at FROM job').toArray()
  }

  add(id: string, job: NewJob, now: Micros, at: number): void {
    this.#sql.exec(
      `INSERT INTO job (id, kind, key, state, parameters, left, chosen, done, skipped, created, at, tries)
        VALUES (?, ?, ?, 'RUNNING', ?, ?, ?, 0, '{}', ?, ?, 0)`,
      id,
      job.kind,
      job.key,
      JSON.stringify(job.parameters),
      textOf(job.left),
      job.chosen ?? null,
      now,
      at,
    )
  }

  /** What a step has done counts also when the job was cancelled meanwhile; what it left does not. */
  advance(job: KeptJob, step: JobStep<unknown>, nowMs: number): void {
    const done = job.done + (step.done ?? 0)
    const skipped = addedReasons(job.skipped, step.skipped ?? {})
    const seen = done + sum(skipped)
    const isOver = step.left === null
    // What was counted at the beginning is a guess: runs are made and deleted meanwhile.
    const counted = step.chosen ?? job.chosen
    const chosen = isOver || seen > (counted ?? Infinity) ? seen : counted
    this.#sql.exec(
      `UPDATE job SET done = ?, skipped = ?, chosen = ?, tries = 0,
        left = CASE WHEN finished IS NULL THEN ? END, at = CASE WHEN finished IS NULL THEN ? ELSE at END,
        message = CASE WHEN finished IS NULL THEN NULL ELSE message END, result = coalesce(?, result)
        WHERE id = ?`,
      done,
      JSON.stringify(skipped),
      chosen,
      textOf(step.left),
      nowMs + (step.afterMs ?? 0),
      textOf(step.result),
      job.id,
    )
    if (isOver) {
      this.end(job.id, 'COMPLETED', null, nowMs)
    }
  }

  postpone(job: KeptJob, message: string, at: number): void {
    this.#sql.exec(
      `UPDATE job SET at = ?, tries = tries + 1, message = ? WHERE id = ? AND state = 'RUNNING'`,
      at,
      message,
      job.id,
    )
  }

  /** Ends a job that is not over yet; its row stays for some days. */
  end(id: string, state: JobState, message: string | null, nowMs: number): void {
    this.#sql.exec(
      `UPDATE job SET state = ?, message = ?, finished = ?, left = NULL, at = ? WHERE id = ? AND finished IS NULL`,
      state,
      message,
      nowMs * 1000,
      nowMs + KEPT_MS,
      id,
    )
    this.#sql.exec(
      `DELETE FROM job WHERE id IN (
        SELECT id FROM job WHERE finished IS NOT NULL ORDER BY finished DESC LIMIT -1 OFFSET ?)`,
      MAX_FINISHED,
    )
  }

  setLeft(id: string, left: unknown, at: number): void {
    this.#sql.exec(
      `UPDATE job SET left = ?, at = ? WHERE id = ? AND state = 'RUNNING'`,
      textOf(left),
      at,
      id,
    )
  }

  remove(id: string): void {
    this.#sql.exec('DELETE FROM job WHERE id = ?', id)
  }

  #select(rest: string, ...values: SqlStorageValue[]): KeptJob[] {
    return this.#sql
      .exec<JobRow>(`SELECT * FROM job ${rest}`, ...values)
      .toArray()
      .map(toKept)
  }
}

export function toJob(kept: KeptJob): Job {
  return {
    id: kept.id,
    kind: kept.kind,
    state: kept.state,
    message: kept.message,
    chosen: kept.chosen,
    done: kept.done,
    skipped: sum(kept.skipped),
    reasons: kept.skipped,
    created: formatTimestamp(kept.created),
    finished: kept.finished === null ? null : formatTimestamp(kept.finished),
  }
}

function toKept(row: JobRow): KeptJob {
  return {
    ...row,
    kind: jobKind.parse(row.kind),
    state: row.state as JobState,
    parameters: JSON.parse(row.parameters),
    left: row.left === null ? null : JSON.parse(row.left),
    result: row.result === null ? null : JSON.parse(row.result),
    skipped: JSON.parse(row.skipped) as Record<string, number>,
  }
}

function textOf(left: unknown): string | null {
  return left === null || left === undefined ? null : JSON.stringify(left)
}

function addedReasons(
  before: Readonly<Record<string, number>>,
  more: Readonly<Record<string, number>>,
): Record<string, number> {
  const counts = { ...before }
  for (const [reason, count] of Object.entries(more)) {
    const isNew = counts[reason] === undefined && Object.keys(counts).length >= MAX_REASONS
    const name = isNew ? OTHER_REASONS : reason
    counts[name] = (counts[name] ?? 0) + count
  }
  return counts
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

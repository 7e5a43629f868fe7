import { parseTimestamp, type Micros } from '#core/time.ts'
import type { AdmissionDeployment, AdmissionView, Candidate } from '#domain/admission.ts'
import type { HomeRun } from '#domain/execution.ts'
import type { FlowRunRecord } from '#domain/flow-run.ts'
import { holdsDeploymentSlot } from '#domain/slot-lease.ts'
import type { HomeDeployment } from '#storage/deployments.ts'
import type { HomeWorkPool } from '#storage/work-pools.ts'
import { CONTEXT_TABLE } from './context-store.ts'
import type { HomeMessage, KeptMessage } from './home-outbox.ts'
import { INPUT_TABLE } from './input-store.ts'
import { migrate } from './migrate.ts'

interface RunRow extends Record<string, SqlStorageValue> {
  id: string
  body: string
}

const MIGRATIONS = [
  [
    // One row a run: queue, lease and record. `due` is set only while a worker may take the run.
    `CREATE TABLE run (
      id TEXT PRIMARY KEY,
      queue_id TEXT,
      deployment_id TEXT,
      state_type TEXT,
      due INTEGER,
      position INTEGER NOT NULL,
      live INTEGER NOT NULL,
      agent_id TEXT,
      timer_at INTEGER,
      body TEXT NOT NULL
    ) WITHOUT ROWID`,
    'CREATE INDEX run_pick ON run (queue_id, due, position) WHERE due IS NOT NULL',
    'CREATE INDEX run_live ON run (queue_id, deployment_id, agent_id) WHERE live = 1',
    'CREATE INDEX run_timer ON run (timer_at) WHERE timer_at IS NOT NULL',
    'CREATE INDEX run_of_deployment ON run (deployment_id) WHERE deployment_id IS NOT NULL',
    // The pool with its queues, and each deployment that this home owns, under the version of the store's row.
    `CREATE TABLE config (
      kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
      PRIMARY KEY (kind, id)
    ) WITHOUT ROWID`,
    // A change of configuration is being made in the store; whoever finds an old one here reads the store.
    `CREATE TABLE pending_change (
      kind TEXT NOT NULL, id TEXT NOT NULL, since INTEGER NOT NULL,
      PRIMARY KEY (kind, id)
    ) WITHOUT ROWID`,
    // When a deployment's schedules must be expanded again.
    `CREATE TABLE schedule_timer (
      deployment_id TEXT PRIMARY KEY, at INTEGER NOT NULL
    ) WITHOUT ROWID`,
    CONTEXT_TABLE,
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
    // What other objects must hear of a run; a row goes when it has been heard.
    `CREATE TABLE message (
      run_id TEXT NOT NULL, kind TEXT NOT NULL, state_type TEXT,
      added INTEGER NOT NULL, at INTEGER NOT NULL, tries INTEGER NOT NULL,
      PRIMARY KEY (run_id, kind)
    ) WITHOUT ROWID`,
  ],
  [INPUT_TABLE],
  [
    // Whether the run's slot of its deployment is in use: a run whose lease ended may still be live.
    'ALTER TABLE run ADD COLUMN slot INTEGER NOT NULL DEFAULT 0',
    'UPDATE run SET slot = live WHERE live = 1',
  ],
  [
    // Up to when the dates of each schedule have been seen to: its past, should nobody be there when it is expanded again.
    "ALTER TABLE schedule_timer ADD COLUMN seen TEXT NOT NULL DEFAULT '{}'",
  ],
] as const

/** By the ids of schedules. */
type SeenDates = Readonly<Record<string, Micros>>

export type ConfigKind = 'work_pool' | 'deployment'

/** How many candidates are read at a time while admitting. */
const CANDIDATE_PAGE = 64

/** The home's SQLite. Every method is synchronous, so that what a caller does between two awaits is one transaction. */
export class WorkPoolStore {
  readonly #sql: SqlStorage

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql
    migrate(storage.sql, storage, MIGRATIONS)
  }

  // Runs

  find(id: string): HomeRun | undefined {
    const [row] = this.#sql.exec<RunRow>('SELECT id, body FROM run WHERE id = ?', id).toArray()
    return row === undefined ? undefined : (JSON.parse(row.body) as HomeRun)
  }

  findMany(ids: string[]): HomeRun[] {
    return this.#bodies('SELECT body FROM run WHERE id IN (SELECT value FROM json_each(?))', [
      JSON.stringify(ids),
    ])
  }

  save(run: HomeRun): void {
    const { record } = run
    this.#sql.exec(
      `INSERT INTO run (id, queue_id, deployment_id, state_type, due, position, live, slot, agent_id, timer_at, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET queue_id = excluded.queue_id, deployment_id = excluded.deployment_id,
         state_type = excluded.state_type, due = excluded.due, position = excluded.position,
         live = excluded.live, slot = excluded.slot, agent_id = excluded.agent_id, timer_at = excluded.timer_at, body = excluded.body`,
      record.id,
      record.work_queue_id,
      record.deployment_id,
      record.state_type,
      claimableAt(run),
      run.position,
      run.live ? 1 : 0,
      holdsDeploymentSlot(run) ? 1 : 0,
      run.agent_id,
      run.timer_at,
      JSON.stringify(run),
    )
  }

  /** Runs whose newest state was written then or later. */
  withStatesSince(timestamp: string): HomeRun[] {
    return this.#bodies(
      "SELECT body FROM run WHERE body ->> '$.record.states[#-1].timestamp' >= ?",
      [timestamp],
    )
  }

  /** Runs with that tail of their ids; few are looked at, since a home holds what is not over yet. */
  withTail(tail: string): HomeRun[] {
    return this.#bodies('SELECT body FROM run WHERE substr(id, 20) = ?', [tail])
  }

  remove(id: string): void {
    this.#sql.exec('DELETE FROM run WHERE id = ?', id)
  }

  allIds(): string[] {
    return this.#sql
      .exec<{ id: string }>('SELECT id FROM run')
      .toArray()
      .map(({ id }) => id)
  }

  lastPosition(): number {
    return (
      this.#sql.exec<{ position: number | null }>('SELECT max(position) AS position FROM run').one()
        .position ?? 0
    )
  }

  liveOfAgent(agentId: string): HomeRun[] {
    return this.#bodies('SELECT body FROM run WHERE live = 1 AND agent_id = ?', [agentId])
  }

  withTimerUntil(now: Micros, limit: number): HomeRun[] {
    return this.#bodies(
      'SELECT body FROM run WHERE timer_at IS NOT NULL AND timer_at <= ? ORDER BY timer_at LIMIT ?',
      [now, limit],
    )
  }

  liveWithTimerUntil(now: Micros): HomeRun[] {
    return this.#bodies('SELECT body FROM run WHERE timer_at <= ? AND live = 1', [now])
  }

  /** Runs that a schedule with a rule for missed dates made, whose time to be looked at has come. */
  missableUntil(now: Micros): HomeRun[] {
    return this.#bodies(
      `SELECT body FROM run WHERE timer_at IS NOT NULL AND timer_at <= ? AND live = 0
         AND state_type = 'SCHEDULED' AND body ->> '$.missed' IS NOT NULL ORDER BY timer_at`,
      [now],
    )
  }

  /** Runs that Prefect's worker may take, in the order of one queue. */
  claimable(queueId: string, from: Micros, before: Micros, limit: number): HomeRun[] {
    return this.#bodies(
      `SELECT body FROM run WHERE queue_id = ? AND due IS NOT NULL AND due >= ? AND due <= ?
       ORDER BY due, position LIMIT ?`,
      [queueId, from, before, limit],
    )
  }

  scheduledOfDeployment(deploymentId: string): HomeRun[] {
    return this.#bodies(
      "SELECT body FROM run WHERE deployment_id = ? AND state_type = 'SCHEDULED'",
      [deploymentId],
    )
  }

  /** The runs that schedules made for it, whatever has become of them. */
  automaticOfDeployment(deploymentId: string): HomeRun[] {
    return this.#bodies(
      "SELECT body FROM run WHERE deployment_id = ? AND body ->> '$.record.auto_scheduled' = 1",
      [deploymentId],
    )
  }

  ofQueue(queueId: string): HomeRun[] {
    return this.#bodies('SELECT body FROM run WHERE queue_id = ?', [queueId])
  }

  /** The earliest time at which anything here must be looked at; null: never. */
  nextTimer(): Micros | null {
    return this.#sql
      .exec<{ at: number | null }>(
        `SELECT min(at) AS at FROM (
           SELECT min(timer_at) AS at FROM run WHERE timer_at IS NOT NULL
           UNION ALL SELECT min(at) FROM schedule_timer
           UNION ALL SELECT min(at) FROM message)`,
      )
      .one().at
  }

  // Admission

  admissionView(now: Micros): AdmissionView {
    const config = this.workPool()
    const live = this.#liveCounts()
    const pool = config?.pool
    return {
      now,
      pool: {
        name: pool?.name ?? '',
        paused: pool?.is_paused ?? false,
        limit: pool?.concurrency_limit ?? null,
        live: live.total,
      },
      queues: (config?.queues ?? []).map((queue) => ({
        id: queue.id,
        name: queue.name,
        priority: queue.priority,
        paused: queue.is_paused,
        limit: queue.concurrency_limit,
        live: live.byQueue.get(queue.id) ?? 0,
      })),
      deployment: (id) => this.#admissionDeployment(id),
      candidates: (queueId, blocked) => this.#candidates(queueId, now, blocked),
    }
  }

  #liveCounts(): { total: number; byQueue: Map<string | null, number> } {
    const rows = this.#sql
      .exec<{ queue_id: string | null; count: number }>(
        'SELECT queue_id, count(*) AS count FROM run WHERE live = 1 GROUP BY queue_id',
      )
      .toArray()
    return {
      total: rows.reduce((sum, row) => sum + row.count, 0),
      byQueue: new Map(rows.map((row) => [row.queue_id, row.count])),
    }
  }

  #admissionDeployment(id: string): AdmissionDeployment | undefined {
    const deployment = this.deployment(id)
    if (deployment === undefined || deployment.concurrency_limit === null) {
      return undefined
    }
    return {
      limit: deployment.concurrency_limit,
      live: this.deploymentSlots(id),
      strategy: deployment.deployment.concurrency_options?.collision_strategy ?? 'ENQUEUE',
    }
  }

  /** How many slots of its limit are in use. */
  deploymentSlots(deploymentId: string): number {
    return this.#sql
      .exec<{ count: number }>(
        'SELECT count(*) AS count FROM run WHERE deployment_id = ? AND live = 1 AND slot = 1',
        deploymentId,
      )
      .one().count
  }

  *#candidates(
    queueId: string,
    now: Micros,
    blocked: ReadonlySet<string>,
  ): Generator<Candidate, void, undefined> {
    let after = { due: -1, position: -1 }
    for (;;) {
      const page = this.#sql
        .exec<{ id: string; deployment_id: string | null; due: number; position: number }>(
          `SELECT id, deployment_id, due, position FROM run
           WHERE queue_id = ? AND due IS NOT NULL AND due <= ? AND (due, position) > (?, ?)
             AND (deployment_id IS NULL OR deployment_id NOT IN (SELECT value FROM json_each(?)))
           ORDER BY due, position LIMIT ?`,
          queueId,
          now,
          after.due,
          after.position,
          JSON.stringify([...blocked]),
          CANDIDATE_PAGE,
        )
        .toArray()
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < CANDIDATE_PAGE) {
        return
      }
      after = last
    }
  }

  // Configuration

  workPool(): HomeWorkPool | undefined {
    const [row] = this.#sql
      .exec<{ body: string }>("SELECT body FROM config WHERE kind = 'work_pool'")
      .toArray()
    return (parseConfig(row) as HomeWorkPool | null) ?? undefined
  }

  isPoolDeleted(): boolean {
    const query = "SELECT 1 FROM config WHERE kind = 'work_pool' AND body = 'null'"
    return this.#sql.exec(query).toArray().length > 0
  }

  deployment(id: string): HomeDeployment | undefined {
    const [row] = this.#sql
      .exec<{ body: string }>("SELECT body FROM config WHERE kind = 'deployment' AND id = ?", id)
      .toArray()
    return (parseConfig(row) as HomeDeployment | null) ?? undefined
  }

  configVersion(kind: ConfigKind, id: string): number {
    const [row] = this.#sql
      .exec<{ version: number }>('SELECT version FROM config WHERE kind = ? AND id = ?', kind, id)
      .toArray()
    return row?.version ?? 0
  }

  saveConfig(kind: ConfigKind, id: string, version: number, body: unknown): void {
    this.#sql.exec(
      `INSERT INTO config (kind, id, version, body) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, body = excluded.body`,
      kind,
      id,
      version,
      JSON.stringify(body),
    )
  }

  markPendingChange(kind: ConfigKind, id: string, since: Micros): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO pending_change (kind, id, since) VALUES (?, ?, ?)',
      kind,
      id,
      since,
    )
  }

  clearPendingChange(kind: ConfigKind, id: string): void {
    this.#sql.exec('DELETE FROM pending_change WHERE kind = ? AND id = ?', kind, id)
  }

  pendingChanges(until: Micros): { kind: ConfigKind; id: string; since: Micros }[] {
    return this.#sql
      .exec<{ kind: string; id: string; since: number }>(
        'SELECT kind, id, since FROM pending_change WHERE since <= ?',
        until,
      )
      .toArray()
      .map((row) => ({ ...row, kind: row.kind as ConfigKind }))
  }

  // Schedules

  setScheduleTimer(deploymentId: string, at: Micros | null, seen: SeenDates): void {
    if (at === null) {
      this.#sql.exec('DELETE FROM schedule_timer WHERE deployment_id = ?', deploymentId)
      return
    }
    this.#sql.exec(
      `INSERT INTO schedule_timer (deployment_id, at, seen) VALUES (?, ?, ?)
       ON CONFLICT (deployment_id) DO UPDATE SET at = excluded.at, seen = excluded.seen`,
      deploymentId,
      at,
      JSON.stringify(seen),
    )
  }

  seenDates(deploymentId: string): SeenDates {
    const [row] = this.#sql
      .exec<{
        seen: string
      }>('SELECT seen FROM schedule_timer WHERE deployment_id = ?', deploymentId)
      .toArray()
    return row === undefined ? {} : (JSON.parse(row.seen) as SeenDates)
  }

  schedulesDue(now: Micros): string[] {
    return this.#sql
      .exec<{ deployment_id: string }>(
        'SELECT deployment_id FROM schedule_timer WHERE at <= ? ORDER BY at LIMIT 100',
        now,
      )
      .toArray()
      .map((row) => row.deployment_id)
  }

  // Messages to other objects

  /** A newer message of the same kind about the same run takes the place of the older one. */
  addMessage(message: HomeMessage, added: Micros, at: Micros): void {
    this.#sql.exec(
      `INSERT OR REPLACE INTO message (run_id, kind, state_type, added, at, tries)
       VALUES (?, ?, ?, ?, ?, 0)`,
      message.run_id,
      message.kind,
      message.state_type,
      added,
      at,
    )
  }

  messagesDue(now: Micros): KeptMessage[] {
    return this.#sql
      .exec('SELECT * FROM message WHERE at <= ? ORDER BY at LIMIT 100', now)
      .toArray() as unknown as KeptMessage[]
  }

  hasMessages(runId: string): boolean {
    return (
      this.#sql.exec('SELECT 1 FROM message WHERE run_id = ? LIMIT 1', runId).toArray().length > 0
    )
  }

  /** Unless a newer one has taken its place. */
  removeMessage({ run_id, kind, added }: KeptMessage): void {
    this.#sql.exec(
      'DELETE FROM message WHERE run_id = ? AND kind = ? AND added = ?',
      run_id,
      kind,
      added,
    )
  }

  /** Unless a newer one has taken its place. */
  postponeMessage({ run_id, kind, added, tries }: KeptMessage, at: Micros): void {
    this.#sql.exec(
      'UPDATE message SET at = ?, tries = ? WHERE run_id = ? AND kind = ? AND added = ?',
      at,
      tries + 1,
      run_id,
      kind,
      added,
    )
  }

  // Facts about the object itself

  meta(key: string): string | undefined {
    const [row] = this.#sql
      .exec<{ value: string }>('SELECT value FROM meta WHERE key = ?', key)
      .toArray()
    return row?.value
  }

  setMeta(key: string, value: string | null): void {
    if (value === null) {
      this.#sql.exec('DELETE FROM meta WHERE key = ?', key)
    } else {
      this.#sql.exec('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)', key, value)
    }
  }

  #bodies(query: string, bindings: SqlStorageValue[]): HomeRun[] {
    return this.#sql
      .exec<{ body: string }>(query, ...bindings)
      .toArray()
      .map(({ body }) => JSON.parse(body) as HomeRun)
  }
}

/** A null body is a deleted object: its version stays, so that nothing older brings it back. */
function parseConfig(row: { body: string } | undefined): unknown {
  return row === undefined ? null : JSON.parse(row.body)
}

/** When a worker may take the run: scheduled, not waiting inside a process, and no earlier execution of it alive. */
function claimableAt(run: HomeRun): Micros | null {
  const { record } = run
  const waits =
    record.state_type === 'SCHEDULED' &&
    !record.deleted &&
    !run.live &&
    record.work_queue_id !== null &&
    record.empirical_policy.retry_type !== 'in_process'
  return waits ? dueOf(record) : null
}

function dueOf(record: FlowRunRecord): Micros | null {
  return record.next_scheduled_start_time === null
    ? null
    : (parseTimestamp(record.next_scheduled_start_time) ?? null)
}

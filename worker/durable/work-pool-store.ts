import { parseTimestamp, type Micros } from '#core/time.ts'
import type { Admission, AdmissionDeployment, AdmissionView } from '#domain/admission.ts'
import type { HomeRun } from '#domain/execution.ts'
import type { FlowRunRecord } from '#domain/flow-run.ts'
import { holdsDeploymentSlot } from '#domain/slot-lease.ts'
import { Turns, type Candidate } from '#domain/turns.ts'
import type { HomeDeployment } from '#storage/deployments.ts'
import type { HomeWorkPool } from '#storage/work-pools.ts'
import { AUDIT_OUTBOX_TABLE } from './audit-outbox.ts'
import { CONTEXT_TABLE } from './context-store.ts'
import { DEPARTED_TABLE, NOTED_DEPARTED_TABLE } from './departed-store.ts'
import type { RowsInDoubt } from './flush.ts'
import type { HomeMessage, KeptMessage } from './home-outbox.ts'
import { INPUT_TABLE } from './input-store.ts'
import { LiveRuns } from './live-runs.ts'
import { migrate } from './migrate.ts'
import { MOVE_TABLES } from './move-store.ts'
import { USAGE_TABLE } from './usage-teller.ts'
import { lineOf, LINES_TABLE, WaitingLines } from './waiting-lines.ts'

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
  LINES_TABLE,
  MOVE_TABLES,
  DEPARTED_TABLE,
  // When the row was written, for the time after a restart; one from before is always in doubt.
  [`ALTER TABLE run ADD COLUMN written INTEGER NOT NULL DEFAULT ${Number.MAX_SAFE_INTEGER}`],
  [...NOTED_DEPARTED_TABLE, USAGE_TABLE],
  AUDIT_OUTBOX_TABLE,
] as const

/** By the ids of schedules. */
type SeenDates = Readonly<Record<string, Micros>>

/** So many rows are looked at in one go: a tenth of a second. */
const SCANNED_ROWS = 50_000
/** What the clocks may differ by of two machines on which the object has lived. */
const CLOCKS_DIFFER_MICROS = 60_000_000
/** Behind all ids. */
const LAST_ID = '~'
/** A run that is over is here only for what must follow, so that a restart always looks at it. */
const ALWAYS_IN_DOUBT = Number.MAX_SAFE_INTEGER

const NONE: ReadonlySet<string> = new Set()

/** The key and the first word of the marker. */
const MARKER = 'dirty'
const CLEAN = 'clean'

/** Positions are microseconds, or one more where those are taken: a row is written in a quarter of an hour. */
const KEPT_POSITIONS = 1_000_000_000

export type ConfigKind = 'work_pool' | 'deployment'

/** The home's SQLite. Every method is synchronous, so that what a caller does between two awaits is one transaction. */
export class WorkPoolStore {
  readonly #sql: SqlStorage
  readonly #lines: WaitingLines
  #live: LiveRuns
  /** What `config` holds, since admission asks for it all the time. */
  readonly #config = new Map<string, unknown>()

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql
    migrate(storage.sql, storage, MIGRATIONS)
    this.#lines = new WaitingLines(storage.sql)
    this.#live = new LiveRuns(storage.sql)
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

  /** Each index whose columns a statement sets is one more row written: so only columns that differ are set. */
  save(run: HomeRun, now: Micros): void {
    const { id, deleted, end_time } = run.record
    const written = deleted || end_time !== null ? ALWAYS_IN_DOUBT : now
    const columns = columnsOf(
      run,
      lineOf(run.record, (deployment) => this.#isLimited(deployment)),
    )
    const [before] = this.#sql
      .exec<RunColumns>(`SELECT ${COLUMN_NAMES.join(', ')} FROM run WHERE id = ?`, id)
      .toArray()
    const body = JSON.stringify(run)
    if (before === undefined) {
      this.#insert(id, columns, body, written)
      this.#saved(run, null)
      return
    }
    const changed = COLUMN_NAMES.filter((name) =>
      name === 'timer_at'
        ? isTimerMoved(before.timer_at, columns.timer_at)
        : columns[name] !== before[name],
    )
    this.#sql.exec(
      `UPDATE run SET ${['body', 'written', ...changed].map((name) => `${name} = ?`).join(', ')} WHERE id = ?`,
      body,
      written,
      ...changed.map((name) => columns[name]),
      id,
    )
    this.#saved(run, before.queue_id)
  }

  #insert(id: string, columns: RunColumns, body: string, written: number): void {
    this.#sql.exec(
      `INSERT INTO run (id, body, written, ${COLUMN_NAMES.join(', ')}) VALUES (?, ?, ?${', ?'.repeat(COLUMN_NAMES.length)})`,
      id,
      body,
      written,
      ...COLUMN_NAMES.map((name) => columns[name]),
    )
  }

  /** Brings up to date what follows from a run's row. */
  #saved(run: HomeRun, oldQueue: string | null): void {
    this.#live.changed(run)
    const { work_queue_id, deployment_id: id, concurrency_key: key } = run.record
    if (id !== null && key) {
      for (const queueId of new Set([oldQueue, work_queue_id])) {
        if (queueId !== null) {
          this.#lines.refresh(queueId, id, key, this.#weightOf(id, key))
        }
      }
    }
  }

  #weightOf(deploymentId: string, key: string): number {
    return this.deployment(deploymentId)?.deployment.concurrency_key?.weights[key] ?? 1
  }

  /** Whether its runs without a key wait in a line of their own. */
  #isLimited(deploymentId: string): boolean {
    const config = this.deployment(deploymentId)
    const cap = config?.deployment.max_waiting_runs ?? null
    return cap !== null || (config?.concurrency_limit ?? null) !== null
  }

  /** Runs whose newest state has that time or a later one, of those that were written since then. */
  withStatesSince(timestamp: string, written: Micros): HomeRun[] {
    return this.#bodies(
      `SELECT body FROM run WHERE written >= ?
         AND body ->> '$.record.states[#-1].timestamp' >= ?`,
      [written - CLOCKS_DIFFER_MICROS, timestamp],
    )
  }

  /** Runs with that tail of their ids; few are looked at, since a home holds what is not over yet. */
  withTail(tail: string): HomeRun[] {
    return this.#bodies('SELECT body FROM run WHERE substr(id, 20) = ?', [tail])
  }

  remove(id: string): void {
    this.#sql.exec('DELETE FROM run WHERE id = ?', id)
    this.#live.removed(id)
  }

  /** The runs after that id that were written since then, or are over, in the order of their ids; a bounded look. */
  writtenSince(since: Micros, after: string, limit: number): RowsInDoubt {
    const [end] = this.#sql
      .exec<{
        id: string
      }>('SELECT id FROM run WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?', after, SCANNED_ROWS)
      .toArray()
    const ids = this.#sql
      .exec<{ id: string }>(
        'SELECT id FROM run WHERE id > ? AND id <= ? AND written >= ? ORDER BY id LIMIT ?',
        after,
        end?.id ?? LAST_ID,
        since - CLOCKS_DIFFER_MICROS,
        limit,
      )
      .toArray()
      .map(({ id }) => id)
    return { ids, next: ids.length < limit ? (end?.id ?? null) : (ids.at(-1) ?? null) }
  }

  /** From here on no position was given to any run, by this life of the object or an earlier one. */
  freePosition(): number {
    const kept = this.meta('free_position')
    return kept === undefined
      ? (this.#sql.exec<{ last: number | null }>('SELECT max(position) AS last FROM run').one()
          .last ?? 0)
      : Number(kept)
  }

  /** Positions up to the one returned may be given: a row for each would be too dear, and looking at all runs too slow. */
  keepPositions(from: number): number {
    const free = from + KEPT_POSITIONS
    this.setMeta('free_position', String(free))
    return free
  }

  liveOfAgent(agentId: string): HomeRun[] {
    return this.findMany(this.#live.ofAgent(agentId))
  }

  withTimerUntil(now: Micros, limit: number): HomeRun[] {
    return this.#bodies(
      'SELECT body FROM run WHERE timer_at IS NOT NULL AND timer_at <= ? ORDER BY timer_at LIMIT ?',
      [now, limit],
    )
  }

  /** How many live executions limits count, and how many the table has. */
  liveCounts(): { counted: number; rows: number } {
    const { rows } = this.#sql
      .exec<{ rows: number }>('SELECT count(*) AS rows FROM run WHERE live = 1')
      .one()
    return { counted: this.#live.count, rows }
  }

  recountLive(): void {
    this.#live = new LiveRuns(this.#sql)
  }

  liveWithTimerUntil(now: Micros): HomeRun[] {
    return this.#bodies('SELECT body FROM run WHERE timer_at <= ? AND live = 1', [now])
  }

  /** Runs that may start too late, by the rule of their schedule or by their own, whose time to be looked at has come. */
  missableUntil(now: Micros): HomeRun[] {
    return this.#bodies(
      `SELECT body FROM run WHERE timer_at IS NOT NULL AND timer_at <= ? AND live = 0
         AND state_type = 'SCHEDULED'
         AND coalesce(body -> '$.missed', body ->> '$.record.start_before') IS NOT NULL ORDER BY timer_at`,
      [now],
    )
  }

  /** Live runs with that tail of their ids. */
  liveWithTail(tail: string): HomeRun[] {
    return this.findMany(this.#live.withTail(tail))
  }

  /** Runs that Prefect's worker may take, in the order of one queue; those with keys whose line is not due yet come last. */
  claimable(queueId: string, from: Micros, before: Micros, limit: number): HomeRun[] {
    const ids: string[] = []
    for (const { id } of this.#inOrder(queueId, from, before)) {
      if (ids.length >= limit) {
        break
      }
      ids.push(id)
    }
    const runs = new Map(this.findMany(ids).map((run) => [run.record.id, run]))
    return ids.flatMap((id) => runs.get(id) ?? [])
  }

  *#inOrder(queueId: string, from: Micros, before: Micros): Generator<Candidate, void, undefined> {
    const turns = new Turns(
      this.#lines.plain(queueId, from, before, NONE),
      this.#lines.keyed(queueId),
      { blocked: NONE, full: () => NONE, weight: (id, key) => this.#weightOf(id, key) },
    )
    for (let run = turns.next(); run !== undefined; run = turns.next()) {
      if (run.due >= from) {
        yield run
      }
      turns.serve()
    }
    yield* this.#lines.upcoming(queueId, from, before)
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
           UNION ALL SELECT min(at) FROM pending_change
           UNION ALL SELECT min(at) FROM arrival
           UNION ALL SELECT min(at) FROM message)`,
      )
      .one().at
  }

  // Admission

  admissionView(now: Micros): AdmissionView {
    this.#lines.wake(now)
    const config = this.workPool()
    const pool = config?.pool
    return {
      now,
      pool: {
        id: pool?.id ?? '',
        name: pool?.name ?? '',
        paused: pool?.is_paused ?? false,
        limit: pool?.concurrency_limit ?? null,
        live: this.#live.count,
      },
      queues: (config?.queues ?? []).map((queue) => ({
        id: queue.id,
        name: queue.name,
        priority: queue.priority,
        paused: queue.is_paused,
        limit: queue.concurrency_limit,
        live: this.#live.countOfQueue(queue.id),
      })),
      deployment: (id) => this.#admissionDeployment(id),
      liveOfKeys: (id) => this.#live.countOfKeys(id),
      candidates: (queueId, blocked) => this.#lines.plain(queueId, 0, now, blocked),
      keyed: (queueId) => this.#lines.keyed(queueId),
    }
  }

  #admissionDeployment(id: string): AdmissionDeployment | undefined {
    const config = this.deployment(id)
    const key = config?.deployment.concurrency_key ?? null
    if (config === undefined || (config.concurrency_limit === null && key === null)) {
      return undefined
    }
    return {
      name: config.deployment.name,
      limit: config.concurrency_limit,
      live: this.deploymentSlots(id),
      strategy: config.deployment.concurrency_options?.collision_strategy ?? 'ENQUEUE',
      key,
    }
  }

  /** How many slots of its limit are in use. */
  deploymentSlots(deploymentId: string): number {
    return this.#live.countOfDeployment(deploymentId)
  }

  /** Runs were chosen: keeps whose turn is next. */
  saveTurns({ turns }: Admission): void {
    for (const [queueId, after] of turns) {
      if (after.lines.length > 0 || after.clock.plain > 0) {
        this.#lines.save(queueId, after)
      }
    }
  }

  /** A run with a key was taken out of turn. */
  chargeTurn({ work_queue_id: queueId, deployment_id: id, concurrency_key: key }: FlowRunRecord) {
    if (queueId !== null && id !== null && key) {
      this.#lines.charge(queueId, id, key, this.#weightOf(id, key))
    }
  }

  /** The place of a waiting run among the due ones of its key, or of its queue where it has none; 1 is first. */
  placeInLine(run: HomeRun): number {
    const due = claimableAt(run)
    const { record, position } = run
    const line = lineOf(record, () => false)
    return due === null || record.work_queue_id === null
      ? 1
      : 1 + this.#lines.countBefore(record.work_queue_id, line, { due, position })
  }

  /** How many runs of a deployment wait before that place in line; no more than `most` are counted. */
  waitingOfDeployment(
    deploymentId: string,
    before: { due: Micros; position: number },
    most: number,
  ): number {
    const queues = this.workPool()?.queues.map(({ id }) => id) ?? []
    return this.#lines.countOfDeployment(queues, deploymentId, before, most)
  }

  // Configuration

  workPool(): HomeWorkPool | undefined {
    const query = "SELECT body FROM config WHERE kind = 'work_pool'"
    return this.#configOf('work_pool', query, []) as HomeWorkPool | undefined
  }

  isPoolDeleted(): boolean {
    const query = "SELECT 1 FROM config WHERE kind = 'work_pool' AND body = 'null'"
    return this.#sql.exec(query).toArray().length > 0
  }

  deployment(id: string): HomeDeployment | undefined {
    const query = "SELECT body FROM config WHERE kind = 'deployment' AND id = ?"
    return this.#configOf(`deployment ${id}`, query, [id]) as HomeDeployment | undefined
  }

  /** A null body is a deleted object: its version stays, so that nothing older brings it back. */
  #configOf(name: string, query: string, bindings: string[]): unknown {
    if (!this.#config.has(name)) {
      const [row] = this.#sql.exec<{ body: string }>(query, ...bindings).toArray()
      const body = row === undefined ? null : (JSON.parse(row.body) as unknown)
      this.#config.set(name, body ?? undefined)
    }
    return this.#config.get(name)
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
    this.#config.clear()
    if (kind === 'deployment' && this.#isLimited(id)) {
      this.#lines.separate(id)
    }
  }

  /** Whatever comes next is taken, also an older version. */
  forgetConfig(kind: ConfigKind, id: string): void {
    this.#sql.exec('DELETE FROM config WHERE kind = ? AND id = ?', kind, id)
    this.#config.clear()
  }

  /** The pool and the deployments that are here, with the home that each names; null: it was deleted. */
  configVersions(): { kind: ConfigKind; id: string; version: number; home_key: string | null }[] {
    return this.#sql
      .exec<{ kind: string; id: string; version: number; home_key: string | null }>(
        "SELECT kind, id, version, body ->> '$.home_key' AS home_key FROM config",
      )
      .toArray()
      .map((row) => ({ ...row, kind: row.kind as ConfigKind }))
  }

  /** @param at when the store is read, should nothing be heard of it */
  markPendingChange(kind: ConfigKind, id: string, since: Micros, at: Micros): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO pending_change (kind, id, since, at) VALUES (?, ?, ?, ?)',
      kind,
      id,
      since,
      at,
    )
  }

  postponeChange(kind: ConfigKind, id: string, at: Micros): void {
    this.#sql.exec('UPDATE pending_change SET at = ? WHERE kind = ? AND id = ?', at, kind, id)
  }

  hasChangeDue(now: Micros): boolean {
    return this.#sql.exec('SELECT 1 FROM pending_change WHERE at <= ?', now).toArray().length > 0
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

  /** How many runs were made here at positions between those, of all that are here. */
  madeBetween(after: number, before: number): number {
    return this.#sql
      .exec<{ made: number }>(
        `SELECT count(*) AS made FROM run WHERE position > ? AND position < ?
         AND body ->> '$.from_store' IS NULL`,
        after,
        before,
      )
      .one().made
  }

  // Facts about the object itself

  /**
   * The marker of what may not be in the store: since when, null when all is there; and what was noted beside it. One row, which
   * stays, so that the note costs none of its own.
   */
  marker(): { dirty: boolean; since: Micros | null; note: string | null } {
    const [since, note = null] = this.meta(MARKER)?.split(' ', 2) ?? [CLEAN]
    return since === CLEAN
      ? { dirty: false, since: null, note }
      : { dirty: true, since: Number(since), note }
  }

  setMarker(since: Micros | null, note: string): void {
    this.#sql.exec(
      `INSERT INTO meta (key, value) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      MARKER,
      `${since ?? CLEAN} ${note}`,
    )
  }

  noteUsage(note: string): void {
    this.setMarker(this.marker().since, note)
  }

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

interface RunColumns extends Record<string, SqlStorageValue> {
  queue_id: string | null
  deployment_id: string | null
  concurrency_key: string | null
  line: string
  state_type: string | null
  due: number | null
  position: number
  live: number
  slot: number
  agent_id: string | null
  timer_at: number | null
}

const COLUMN_NAMES = [
  'queue_id',
  'deployment_id',
  'concurrency_key',
  'line',
  'state_type',
  'due',
  'position',
  'live',
  'slot',
  'agent_id',
  'timer_at',
] as const

function columnsOf(run: HomeRun, line: string): RunColumns {
  const { record } = run
  return {
    queue_id: record.work_queue_id,
    deployment_id: record.deployment_id,
    concurrency_key: record.concurrency_key ?? null,
    line,
    state_type: record.state_type,
    due: claimableAt(run),
    position: run.position,
    live: run.live ? 1 : 0,
    slot: holdsDeploymentSlot(run) ? 1 : 0,
    agent_id: run.agent_id,
    timer_at: run.timer_at,
  }
}

/**
 * A timer that rings before its time does no harm: the run is looked at, and its timer set to what it is by then. So one that
 * only moves on, as with each renewal of a lease, is left where it is: most runs are over before it rings.
 */
function isTimerMoved(before: Micros | null, timer: Micros | null): boolean {
  if (before === null || timer === null) {
    return before !== timer
  }
  return timer < before || before <= Date.now() * 1000
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

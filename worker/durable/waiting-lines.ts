import type { Micros } from '#core/time.ts'
import {
  NEW_CLOCK,
  turnCost,
  type Candidate,
  type Clock,
  type KeyedQueue,
  type Line,
  type TurnsAfter,
} from '#domain/turns.ts'

/**
 * The lines in which a queue's runs wait. The column `line` of a run names its own: '' for most; its deployment's where that has
 * a limit or a cap, so that nobody reads past its runs while it is full; its deployment's and its key's where it has one.
 */
export const LINES_TABLE = [
  "ALTER TABLE run ADD COLUMN line TEXT NOT NULL DEFAULT ''",
  'ALTER TABLE run ADD COLUMN concurrency_key TEXT',
  'DROP INDEX run_pick',
  'DROP INDEX run_live',
  `CREATE INDEX run_line ON run (queue_id, line, due, position, deployment_id) WHERE due IS NOT NULL`,
  // Read when the object wakes.
  `CREATE INDEX run_live ON run (queue_id, deployment_id, concurrency_key, agent_id, slot) WHERE live = 1`,
  // A line of a key, while runs wait in it: whose turn it is, and its first run.
  `CREATE TABLE line (
    queue_id TEXT NOT NULL, deployment_id TEXT NOT NULL, key TEXT NOT NULL,
    turn INTEGER NOT NULL, due INTEGER NOT NULL, position INTEGER NOT NULL, awake INTEGER NOT NULL,
    PRIMARY KEY (queue_id, deployment_id, key)
  ) WITHOUT ROWID`,
  'CREATE INDEX line_turn ON line (queue_id, deployment_id, turn, due, position) WHERE awake = 1',
  // Its first run is not due yet.
  'CREATE INDEX line_asleep ON line (due) WHERE awake = 0',
  'CREATE TABLE clock (queue_id TEXT PRIMARY KEY, now INTEGER NOT NULL, plain INTEGER NOT NULL) WITHOUT ROWID',
] as const

/** How many candidates are read at first, and then. */
const FIRST_PAGE = 16
const PAGE = 128

const KEYED = 'k '
const LIMITED = 'd '
/** Behind all lines of runs without a key. */
const LIMITED_END = 'e'

type CandidateRow = Candidate & Record<string, SqlStorageValue>

/** In which line a run waits. */
export function lineOf(
  run: { deployment_id: string | null; concurrency_key?: string | null },
  isLimited: (deploymentId: string) => boolean,
): string {
  const { deployment_id: id, concurrency_key: key } = run
  if (id === null) {
    return ''
  }
  return key === null || key === undefined
    ? isLimited(id)
      ? LIMITED + id
      : ''
    : `${KEYED}${id} ${key}`
}

export class WaitingLines {
  readonly #sql: SqlStorage
  #now: Micros = 0

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Lines whose first run has become due by now take part. */
  wake(now: Micros): void {
    this.#now = now
    this.#sql.exec('UPDATE line SET awake = 1 WHERE awake = 0 AND due <= ?', now)
  }

  /** The due runs of a queue that have no key, in their order. */
  *plain(
    queueId: string,
    from: Micros,
    until: Micros,
    blocked: ReadonlySet<string>,
  ): Generator<Candidate, void, undefined> {
    const lines = ['', ...this.#limitedLines(queueId)].map((line) => {
      const runs = this.#runs({ queueId, line, from, until, blocked })
      return { runs, head: nextOf(runs) }
    })
    for (;;) {
      let first: (typeof lines)[number] | undefined
      for (const line of lines) {
        if (
          line.head !== undefined &&
          (first?.head === undefined || isFirst(line.head, first.head))
        ) {
          first = line
        }
      }
      if (first?.head === undefined) {
        return
      }
      const { head } = first
      if (head.deployment_id === null || !blocked.has(head.deployment_id)) {
        yield head
      }
      first.head = nextOf(first.runs)
    }
  }

  keyed(queueId: string): KeyedQueue | undefined {
    const deployments = this.#sql
      .exec<{ id: string | null }>(
        `WITH RECURSIVE found (id) AS (
           SELECT min(deployment_id) FROM line WHERE awake = 1 AND queue_id = ?1
           UNION ALL
           SELECT (SELECT min(deployment_id) FROM line
                   WHERE awake = 1 AND queue_id = ?1 AND deployment_id > found.id)
           FROM found WHERE found.id IS NOT NULL)
         SELECT id FROM found WHERE id IS NOT NULL`,
        queueId,
      )
      .toArray()
      .map(({ id }) => id ?? '')
    if (deployments.length === 0) {
      return undefined
    }
    const until = this.#now
    return {
      clock: this.#clock(queueId),
      deployments,
      lines: (id, without) => this.#lines(queueId, id, without),
      runs: ({ deployment_id: id, key }) =>
        this.#runs({ queueId, line: `${KEYED}${id} ${key}`, from: 0, until, blocked: NONE }, key),
    }
  }

  /** Runs with keys that are due between the two times, those of lines that are not awake last. */
  *upcoming(queueId: string, from: Micros, until: Micros): Generator<Candidate, void, undefined> {
    const lines = this.#sql.exec<{ deployment_id: string; key: string }>(
      `SELECT deployment_id, key FROM line WHERE awake = 0 AND due <= ? AND queue_id = ?
       ORDER BY due LIMIT 200`,
      until,
      queueId,
    )
    for (const { deployment_id: id, key } of lines.toArray()) {
      const line = `${KEYED}${id} ${key}`
      yield* this.#runs({ queueId, line, from, until, blocked: NONE }, key)
    }
  }

  /** Runs of a queue were served. */
  save(queueId: string, { clock, lines }: TurnsAfter): void {
    this.#sql.exec(
      `INSERT INTO clock (queue_id, now, plain) VALUES (?, ?, ?)
       ON CONFLICT (queue_id) DO UPDATE SET now = excluded.now, plain = excluded.plain`,
      queueId,
      clock.now,
      clock.plain,
    )
    for (const { deployment_id, key, turn } of lines) {
      this.#sql.exec(
        'UPDATE line SET turn = ? WHERE queue_id = ? AND deployment_id = ? AND key = ?',
        turn,
        queueId,
        deployment_id,
        key,
      )
    }
  }

  /** One run of a key was taken by someone who does not ask whose turn it is: its line waits the longer. */
  charge(queueId: string, deploymentId: string, key: string, weight: number): void {
    const [row] = this.#sql
      .exec<{ turn: number }>(
        'SELECT turn FROM line WHERE queue_id = ? AND deployment_id = ? AND key = ?',
        queueId,
        deploymentId,
        key,
      )
      .toArray()
    if (row !== undefined) {
      const clock = this.#clock(queueId)
      const turn = Math.max(clock.now, row.turn) + turnCost(weight)
      this.save(queueId, { clock, lines: [{ deployment_id: deploymentId, key, turn }] })
    }
  }

  /** Runs have come to a line of a key, or gone from it. */
  refresh(queueId: string, deploymentId: string, key: string, weight: number): void {
    const [head] = this.#sql
      .exec<{ due: number; position: number }>(
        `SELECT due, position FROM run WHERE queue_id = ? AND line = ? AND due IS NOT NULL
         ORDER BY due, position LIMIT 1`,
        queueId,
        `${KEYED}${deploymentId} ${key}`,
      )
      .toArray()
    if (head === undefined) {
      this.#sql.exec(
        'DELETE FROM line WHERE queue_id = ? AND deployment_id = ? AND key = ?',
        queueId,
        deploymentId,
        key,
      )
      return
    }
    this.#sql.exec(
      `INSERT INTO line (queue_id, deployment_id, key, turn, due, position, awake)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
       ON CONFLICT (queue_id, deployment_id, key) DO UPDATE
       SET due = ?5, position = ?6, awake = ?7 WHERE (due, position, awake) <> (?5, ?6, ?7)`,
      queueId,
      deploymentId,
      key,
      // Behind those that wait already.
      this.#clock(queueId).now + turnCost(weight),
      head.due,
      head.position,
      head.due <= this.#now ? 1 : 0,
    )
  }

  /** How many runs of a line come before that place; the runs without a key are one line. */
  countBefore(queueId: string, line: string, before: { due: Micros; position: number }): number {
    return this.#sql
      .exec<{ count: number }>(
        `SELECT count(*) AS count FROM run
         WHERE queue_id = ? AND line >= ? AND line <= ? AND due IS NOT NULL AND (due, position) < (?, ?)`,
        queueId,
        line,
        line === '' ? LIMITED_END : line,
        before.due,
        before.position,
      )
      .one().count
  }

  /** How many runs of the deployment wait in these queues and come before that place; no more than `most` are counted. */
  countOfDeployment(
    queueIds: string[],
    deploymentId: string,
    before: { due: Micros; position: number },
    most: number,
  ): number {
    let count = 0
    for (const queueId of queueIds) {
      const [row] = this.#sql
        .exec<{ count: number }>(
          `SELECT (SELECT count(*) FROM (SELECT 1 FROM run
             WHERE queue_id = ?1 AND line = ?2 AND due IS NOT NULL AND (due, position) < (?5, ?6) LIMIT ?7))
           + (SELECT count(*) FROM (SELECT 1 FROM run
             WHERE queue_id = ?1 AND line > ?3 AND line < ?4 AND due IS NOT NULL AND (due, position) < (?5, ?6) LIMIT ?7))
           AS count`,
          queueId,
          LIMITED + deploymentId,
          `${KEYED}${deploymentId} `,
          `${KEYED}${deploymentId}!`,
          before.due,
          before.position,
          most - count,
        )
        .toArray()
      count += row?.count ?? 0
      if (count >= most) {
        return count
      }
    }
    return count
  }

  /** Its deployment has got a limit: its runs without a key wait in a line of their own from now on. */
  separate(deploymentId: string): void {
    this.#sql.exec(
      `UPDATE run SET line = ? WHERE deployment_id = ? AND line = '' AND due IS NOT NULL`,
      LIMITED + deploymentId,
      deploymentId,
    )
  }

  #clock(queueId: string): Clock {
    const [row] = this.#sql
      .exec<{ now: number; plain: number }>(
        'SELECT now, plain FROM clock WHERE queue_id = ?',
        queueId,
      )
      .toArray()
    return row ?? NEW_CLOCK
  }

  /** One step in the index for each, however many runs wait there. */
  #limitedLines(queueId: string): string[] {
    return this.#sql
      .exec<{ line: string | null }>(
        `WITH RECURSIVE found (line) AS (
           SELECT min(line) FROM run
           WHERE queue_id = ?1 AND due IS NOT NULL AND line > ?2 AND line < ?3
           UNION ALL
           SELECT (SELECT min(line) FROM run
                   WHERE queue_id = ?1 AND due IS NOT NULL AND line > found.line AND line < ?3)
           FROM found WHERE found.line IS NOT NULL)
         SELECT line FROM found WHERE line IS NOT NULL`,
        queueId,
        LIMITED,
        LIMITED_END,
      )
      .toArray()
      .map(({ line }) => line ?? '')
  }

  *#lines(
    queueId: string,
    deploymentId: string,
    without: ReadonlySet<string>,
  ): Generator<Line, void, undefined> {
    let after = { turn: -1, due: -1, position: -1 }
    for (let limit = FIRST_PAGE; ; limit = PAGE) {
      const page = this.#sql
        .exec<Line & Record<string, SqlStorageValue>>(
          `SELECT deployment_id, key, turn, due, position FROM line
           WHERE awake = 1 AND queue_id = ? AND deployment_id = ?
             AND (turn, due, position) > (?, ?, ?)
             AND key NOT IN (SELECT value FROM json_each(?))
           ORDER BY turn, due, position LIMIT ?`,
          queueId,
          deploymentId,
          after.turn,
          after.due,
          after.position,
          JSON.stringify([...without]),
          limit,
        )
        .toArray()
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < limit) {
        return
      }
      after = last
    }
  }

  *#runs(
    of: {
      queueId: string
      line: string
      from: Micros
      until: Micros
      blocked: ReadonlySet<string>
    },
    key: string | null = null,
  ): Generator<Candidate, void, undefined> {
    let after = { due: of.from - 1, position: Number.MAX_SAFE_INTEGER }
    for (let limit = FIRST_PAGE; ; limit = PAGE) {
      const page = this.#sql
        .exec<CandidateRow>(
          `SELECT id, deployment_id, due, position FROM run
           WHERE queue_id = ? AND line = ? AND due IS NOT NULL AND due <= ? AND (due, position) > (?, ?)
             AND (deployment_id IS NULL OR deployment_id NOT IN (SELECT value FROM json_each(?)))
           ORDER BY due, position LIMIT ?`,
          of.queueId,
          of.line,
          of.until,
          after.due,
          after.position,
          JSON.stringify([...of.blocked]),
          limit,
        )
        .toArray()
      yield* key === null ? page : page.map((run) => ({ ...run, key }))
      const last = page.at(-1)
      if (last === undefined || page.length < limit) {
        return
      }
      after = last
    }
  }
}

const NONE: ReadonlySet<string> = new Set()

function nextOf(runs: Iterator<Candidate, void>): Candidate | undefined {
  const next = runs.next()
  return next.done === true ? undefined : next.value
}

function isFirst(a: Candidate, b: Candidate): boolean {
  return (a.due - b.due || a.position - b.position) < 0
}

import { MICROS_PER_SECOND, type Micros } from '#core/time.ts'

/** Rows that left for D1, many to a row, by the time at which they left. */
export const DEPARTED_TABLE =
  'CREATE TABLE departed (chunk INTEGER PRIMARY KEY, body TEXT NOT NULL)'

/** The same with what the object notes beside what leaves; before the text, so that it is read without it. */
export const NOTED_DEPARTED_TABLE: readonly string[] = [
  'ALTER TABLE departed RENAME TO former_departed',
  'CREATE TABLE departed (chunk INTEGER PRIMARY KEY, note TEXT, body TEXT NOT NULL)',
  'INSERT INTO departed (chunk, body) SELECT chunk, body FROM former_departed',
  'DROP TABLE former_departed',
]

/** So old may a copy of D1 be that is restored and healed from here. */
const KEPT_MICROS = 24 * 3600 * MICROS_PER_SECOND
/** A row of an object takes 2 MB as UTF-8. */
const MAX_CHARS = 500_000

/** One departure: the number by which the next is asked for, and what left. */
export interface Departure<T> {
  chunk: number
  records: T[]
}

/**
 * What has left an object for D1, kept for a day: should D1 be restored to an earlier time, the rest is told to it again. Costs
 * one row for each batch that leaves and one for its end; nothing wakes for it.
 */
export class DepartedStore<T> {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /**
   * In the same turn in which the rows are removed.
   * @param note stands beside them, where the table has room for one
   */
  keep(records: readonly T[], now: Micros, note?: string): void {
    if (records.length === 0) {
      return
    }
    this.#sql.exec('DELETE FROM departed WHERE chunk < ?', now - KEPT_MICROS)
    const last = this.#sql
      .exec<{ last: number | null }>('SELECT max(chunk) AS last FROM departed')
      .one().last
    let chunk = Math.max(now, (last ?? 0) + 1)
    for (const body of bodiesOf(records)) {
      if (note === undefined) {
        this.#sql.exec('INSERT INTO departed (chunk, body) VALUES (?, ?)', chunk, body)
      } else {
        this.#sql.exec(
          'INSERT INTO departed (chunk, note, body) VALUES (?, ?, ?)',
          chunk,
          note,
          body,
        )
      }
      chunk += 1
    }
  }

  /** What was noted beside what left last. */
  lastNote(): string | null {
    const [row] = this.#sql
      .exec<{ note: string | null }>('SELECT note FROM departed ORDER BY chunk DESC LIMIT 1')
      .toArray()
    return row?.note ?? null
  }

  /** The departure that follows; undefined when there is none. */
  next(after: number): Departure<T> | undefined {
    const [row] = this.#sql
      .exec<{
        chunk: number
        body: string
      }>('SELECT chunk, body FROM departed WHERE chunk > ? ORDER BY chunk LIMIT 1', after)
      .toArray()
    return row === undefined
      ? undefined
      : { chunk: row.chunk, records: JSON.parse(row.body) as T[] }
  }
}

function bodiesOf(records: readonly unknown[]): string[] {
  const bodies: string[] = []
  let texts: string[] = []
  let chars = 0
  for (const record of records) {
    const text = JSON.stringify(record)
    if (texts.length > 0 && chars + text.length > MAX_CHARS) {
      bodies.push(`[${texts.join(',')}]`)
      texts = []
      chars = 0
    }
    texts.push(text)
    chars += text.length + 1
  }
  return [...bodies, `[${texts.join(',')}]`]
}

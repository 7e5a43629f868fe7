import type { HomeKey } from '#core/flow-run-id.ts'
import type { Micros } from '#core/time.ts'

export const MOVE_TABLES = [
  // When a change that was announced is read from the store, should nobody send it.
  'ALTER TABLE pending_change ADD COLUMN at INTEGER',
  // A deployment comes from another home: its schedules rest until that has let go of it.
  `CREATE TABLE arrival (
    deployment_id TEXT NOT NULL, from_key TEXT NOT NULL, since INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, from_key)
  ) WITHOUT ROWID`,
  // When a deployment's schedules were stopped here, since it went to another home.
  'CREATE TABLE departure (deployment_id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID',
  // Dates to come that have had their run at an earlier home.
  `CREATE TABLE used_date (
    deployment_id TEXT NOT NULL, schedule_id TEXT NOT NULL, date INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, schedule_id, date)
  ) WITHOUT ROWID`,
] as const

/** A deployment that is on its way from another home. */
export interface Arrival {
  deployment_id: string
  from_key: HomeKey
  since: Micros
}

/** A date of a schedule that needs no further run. */
export interface UsedDate {
  schedule_id: string
  date: Micros
}

/** Where deployments come from and go to; a part of the home's SQLite. */
export class MoveStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  addArrival(deploymentId: string, from: HomeKey, since: Micros, at: Micros): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO arrival (deployment_id, from_key, since, at) VALUES (?, ?, ?, ?)',
      deploymentId,
      from,
      since,
      at,
    )
  }

  arrivalsOf(deploymentId: string): Arrival[] {
    return this.#arrivals('WHERE deployment_id = ?', deploymentId)
  }

  arrivalsDue(now: Micros): Arrival[] {
    return this.#arrivals('WHERE at <= ?', now)
  }

  postponeArrival({ deployment_id, from_key }: Arrival, at: Micros): void {
    this.#sql.exec(
      'UPDATE arrival SET at = ? WHERE deployment_id = ? AND from_key = ?',
      at,
      deployment_id,
      from_key,
    )
  }

  removeArrival({ deployment_id, from_key }: Arrival): void {
    this.#sql.exec(
      'DELETE FROM arrival WHERE deployment_id = ? AND from_key = ?',
      deployment_id,
      from_key,
    )
  }

  /** The first time counts, however often the same is heard. */
  noteDeparture(deploymentId: string, at: Micros): void {
    this.#sql.exec(
      'INSERT OR IGNORE INTO departure (deployment_id, at) VALUES (?, ?)',
      deploymentId,
      at,
    )
  }

  departure(deploymentId: string): Micros | undefined {
    const query = 'SELECT at FROM departure WHERE deployment_id = ?'
    return this.#sql.exec<{ at: number }>(query, deploymentId).toArray()[0]?.at
  }

  forgetDeparture(deploymentId: string): void {
    this.#sql.exec('DELETE FROM departure WHERE deployment_id = ?', deploymentId)
  }

  addUsedDates(deploymentId: string, dates: readonly UsedDate[]): void {
    for (const { schedule_id, date } of dates) {
      this.#sql.exec(
        'INSERT OR IGNORE INTO used_date (deployment_id, schedule_id, date) VALUES (?, ?, ?)',
        deploymentId,
        schedule_id,
        date,
      )
    }
  }

  /** Those that are still to come; the others are forgotten. */
  usedDates(deploymentId: string, now: Micros): UsedDate[] {
    const rows = this.#sql
      .exec<{ schedule_id: string; date: number }>(
        'SELECT schedule_id, date FROM used_date WHERE deployment_id = ?',
        deploymentId,
      )
      .toArray()
    if (rows.some(({ date }) => date <= now)) {
      const query = 'DELETE FROM used_date WHERE deployment_id = ? AND date <= ?'
      this.#sql.exec(query, deploymentId, now)
    }
    return rows.filter(({ date }) => date > now)
  }

  #arrivals(condition: string, value: string | number): Arrival[] {
    return this.#sql
      .exec(`SELECT deployment_id, from_key, since FROM arrival ${condition}`, value)
      .toArray() as unknown as Arrival[]
  }
}

import { sql, type SQL } from 'drizzle-orm'
import { parseTimestamp, type Micros } from '#core/time.ts'
import type { flowRun, taskRun } from './schema/runs.ts'

/** Flow runs and task runs are timed alike. */
export type Runs = typeof flowRun | typeof taskRun

/** A stored time, of fixed width, as integer microseconds. */
export function micros(column: SQL): SQL {
  return sql`(unixepoch(substr(${column}, 1, 19)) * 1000000 + CAST(substr(${column}, 21, 6) AS INTEGER))`
}

// Both in seconds, as `estimates` in domain/flow-run computes them of one run.

export function runTimeSeconds(runs: Runs, now: Micros): SQL {
  return sql`(${runs.total_run_time}
    + CASE ${runs.state_type} WHEN 'RUNNING'
      THEN max(0, ${now} - ${micros(sql`(${runs.states} ->> '$[#-1].timestamp')`)}) / 1e6 ELSE 0 END)`
}

export function latenessSeconds(runs: Runs, now: Micros): SQL {
  const expected = micros(sql`${runs.expected_start_time}`)
  return sql`max(0, CASE
    WHEN ${runs.expected_start_time} IS NULL THEN 0
    WHEN ${runs.start_time} IS NOT NULL THEN ${micros(sql`${runs.start_time}`)} - ${expected}
    WHEN ${runs.state_type} IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED') THEN 0
    ELSE ${now} - ${expected} END) / 1e6`
}

/** D1 binds numbers as they come; integer division needs an integer. */
export function integer(value: number): SQL {
  return sql`CAST(${value} AS INTEGER)`
}

/** Of a time that the wire's schema has already read. */
export function toMicros(text: string): Micros {
  const time = parseTimestamp(text)
  if (time === undefined) {
    throw new RangeError(`'${text}' is no time`)
  }
  return time
}

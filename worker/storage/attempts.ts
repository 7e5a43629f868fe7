import type { AttemptLimit } from '#domain/attempts.ts'

/** Old rows go with new ones: so many at a time. */
const SWEPT = 20

/**
 * Counts one try of each key, and says whether all are within their limits; else in how many seconds to try again. In D1, so
 * that it holds wherever the next try arrives; one statement each, so that tries at the same time are all counted.
 * @param now milliseconds
 */
export async function countAttempts(
  db: D1Database,
  tries: readonly { key: string; limit: AttemptLimit }[],
  now: number,
): Promise<{ allowed: true } | { allowed: false; retryAfter: number }> {
  const counted = await db.batch<{ count: number; ends: number }>([
    ...tries.map(({ key, limit }) =>
      db
        .prepare(
          `INSERT INTO attempt (key, count, ends) VALUES (?1, 1, ?2)
           ON CONFLICT (key) DO UPDATE SET
             count = CASE WHEN ends <= ?3 THEN 1 ELSE count + 1 END,
             ends = CASE WHEN ends <= ?3 THEN ?2 ELSE ends END
           RETURNING count, ends`,
        )
        .bind(key, now + limit.seconds * 1000, now),
    ),
    db
      .prepare(
        `DELETE FROM attempt WHERE key IN (SELECT key FROM attempt WHERE ends <= ? ORDER BY ends LIMIT ${SWEPT})`,
      )
      .bind(now),
  ])
  const over = tries.flatMap(({ limit }, index) => {
    const row = counted[index]?.results[0]
    return row !== undefined && row.count > limit.max ? [row.ends] : []
  })
  return over.length === 0
    ? { allowed: true }
    : { allowed: false, retryAfter: Math.max(1, Math.ceil((Math.max(...over) - now) / 1000)) }
}

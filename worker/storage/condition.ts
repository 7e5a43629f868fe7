import { sql, type SQL } from 'drizzle-orm'
import type { Condition } from '#domain/condition.ts'

/** A compiled filter as a part of a drizzle query. */
export function toSql(condition: Condition): SQL {
  const texts = condition.sql.split('?')
  return sql.join(
    texts.flatMap((text, index) => {
      const param = condition.params[index]
      return param === undefined ? [sql.raw(text)] : [sql.raw(text), sql`${param}`]
    }),
  )
}

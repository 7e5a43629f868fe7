/** A statement with the values of its question marks. */
interface Statement {
  sql: string
  values: (string | number | null)[]
}

/**
 * Writes statements as a file of SQL, with their values in them.
 * @throws Error when a statement has not as many question marks as values, or a value can't be written
 */
export function toSqlScript(statements: readonly Statement[]): string {
  return statements.map((statement) => `${withValues(statement)};\n`).join('')
}

function withValues({ sql, values }: Statement): string {
  const parts = sql.split('?')
  if (parts.length !== values.length + 1) {
    throw new Error(`expected ${values.length} question marks, got ${parts.length - 1}: ${sql}`)
  }
  return parts.reduce((text, part, index) => text + literal(values[index - 1] ?? null) + part)
}

function literal(value: string | number | null): string {
  if (value === null) {
    return 'NULL'
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) {
      throw new Error(`expected a finite number, got ${value}`)
    }
    return String(value)
  }
  if (/\p{Cc}/u.test(value)) {
    throw new Error(`expected text without control characters, got ${JSON.stringify(value)}`)
  }
  return `'${value.replaceAll("'", "''")}'`
}

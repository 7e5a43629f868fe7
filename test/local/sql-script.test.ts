import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toSqlScript } from '../../worker/local/sql-script.ts'

const value = fc.oneof(
  fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text)),
  fc.integer(),
  fc.constant(null),
)

test('SQLite reads back what was written', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value), { maxLength: 4 }), (rows) => {
      const database = new DatabaseSync(':memory:')
      database.exec('CREATE TABLE pair (one, two)')
      database.exec(
        toSqlScript(rows.map((values) => ({ sql: 'INSERT INTO pair VALUES (?, ?)', values }))),
      )
      const read = database.prepare('SELECT one, two FROM pair ORDER BY rowid').all()
      expect(read.map(({ one, two }) => [one, two])).toEqual(rows)
    }),
    { examples: [[[["'); DROP TABLE pair; --", "it's ? here"]]]] },
  )
})

test.each([
  ['fewer values than question marks', { sql: 'SELECT ?, ?', values: [1] }],
  ['more values than question marks', { sql: 'SELECT 1', values: [1] }],
  ['control characters', { sql: 'SELECT ?', values: ['a\0b'] }],
  ['a number that SQL has no word for', { sql: 'SELECT ?', values: [Number.NaN] }],
])('refuses %s', (_what, statement) => {
  expect(() => toSqlScript([statement])).toThrow(/expected/)
})

import { afterEach, expect, test, vi } from 'vitest'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { framesOf, report } from '../../worker/operations/report.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

function reported(error: unknown): string {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  report('failed', error, { object: 'o' })
  return String(said.mock.lastCall?.[0])
}

test('a failed statement is told without the values in it', () => {
  const cause = new Error('D1_ERROR: away')
  const error = new DrizzleQueryError('insert into t values (?)', ['a value\n    at b'], cause)
  const line = reported(error)
  expect(JSON.parse(line)).toEqual({
    level: 'error',
    message: 'failed',
    reason: 'Failed query: insert into t values (?)',
    cause: 'D1_ERROR: away',
    object: 'o',
  })
  const outer = new Error('The store can not be reached now.', { cause: error })
  expect(reported(outer)).not.toContain('a value')
  expect(framesOf(error)).toMatch(/^at /)
  expect(framesOf(error)).not.toContain('a value')
})

test('what is no error of a statement is told whole', () => {
  expect(JSON.parse(reported(new Error('the pool is gone')))).toMatchObject({
    reason: 'the pool is gone',
  })
  expect(JSON.parse(reported('text'))).toMatchObject({ reason: 'text' })
})

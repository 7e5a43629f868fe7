import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDuration } from '../../core/duration.ts'

// As pydantic 2 reads a timedelta.
test.each<[string, number]>([
  ['PT10S', 10],
  ['PT1.5M', 90],
  ['P1DT2H', 93_600],
  ['P1W', 604_800],
  ['P1Y', 31_536_000],
  ['-PT5S', -5],
  ['00:10', 600],
  ['00:10:01.5', 601.5],
  ['1 day, 00:10:00', 87_000],
  ['1 days 00:10:00', 87_000],
  ['5d 01:00:00', 435_600],
  ['1d', 86_400],
])('%s is %f seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds)
})

test.each(['', '10', '10.5', 'P', 'PT', ' PT5S', 'soon', 'P1.2.3D', '1:2:3', '-'])(
  "'%s' is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  },
)

test('what is written in seconds is read as such', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000 }), (seconds) => {
      expect(parseDuration(`PT${seconds}S`)).toBe(seconds)
    }),
  )
})

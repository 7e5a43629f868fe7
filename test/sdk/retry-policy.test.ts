import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { retryDelay } from '#sdk/retry-policy.ts'

test.each([
  [1, undefined, 0],
  [3, 2, 2],
  [1, [1, 10, 60], 1],
  [3, [1, 10, 60], 60],
  [9, [1, 10, 60], 60],
  [1, [], 0],
])('retry %i of %j waits %d s', (retry, retryDelaySeconds, expected) => {
  const options = retryDelaySeconds === undefined ? {} : { retryDelaySeconds }
  expect(retryDelay(retry, options, 0.3)).toBe(expected)
})

test('jitter stays within its factor, around the delay', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (delay, factor, random) => {
        const options = { retryDelaySeconds: delay, retryJitterFactor: factor }
        const wait = retryDelay(1, options, random)
        expect(wait).toBeGreaterThanOrEqual(delay * (1 - factor) - 1e-6)
        expect(wait).toBeLessThanOrEqual(delay * (1 + factor) + 1e-6)
        expect(retryDelay(1, options, 0.5)).toBeCloseTo(delay)
      },
    ),
  )
})

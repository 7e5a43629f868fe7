import { describe, expect, it } from 'vitest'
import { age, duration } from '../../../agent/cli/ages.ts'
import { parseTimestamp } from '../../../core/time.ts'

const NOW = parseTimestamp('2026-03-01T12:00:00Z') ?? 0

describe('age', () => {
  it.each([
    ['2026-03-01T12:00:00.000000Z', 'now'],
    ['2026-03-01T11:59:48.000000Z', '12s ago'],
    ['2026-03-01T11:56:30.000000Z', '3m ago'],
    ['2026-03-01T09:00:01.000000Z', '2h ago'],
    ['2026-02-26T12:00:00.000000Z', '3d ago'],
    ['2026-03-01T12:05:00.000000Z', 'in 5m'],
    [null, '-'],
    [undefined, '-'],
    ['nonsense', '-'],
  ])('%s is %s', (time, text) => {
    expect(age(time, NOW)).toBe(text)
  })
})

describe('duration', () => {
  it.each([
    [0.04, '0 s'],
    [0.44, '0.4 s'],
    [9.96, '10 s'],
    [12, '12 s'],
    [192, '3 m 12 s'],
    [180, '3 m'],
    [7500, '2 h 5 m'],
    [3600, '1 h'],
    [273_600, '3 d 4 h'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text)
  })
})

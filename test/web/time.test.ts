import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  axisTicks,
  formatAge,
  formatClockMs,
  formatDateTime,
  formatDuration,
  formatTicking,
  fromDateTimeInput,
  parseRangeEnd,
  toDateTimeInput,
  zoneName,
} from '#lib/time.ts'

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [412, '412 ms'],
    [1000, '1.0 s'],
    [8449, '8.4 s'],
    [9999, '9.9 s'],
    [59_999, '59 s'],
    [192_300, '3 m 12 s'],
    [3_600_000, '1 h 00 m'],
    [7_500_000, '2 h 05 m'],
    [86_400_000, '1 d 0 h'],
    [-5, '0 ms'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('always says a unit', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
        expect(formatDuration(ms)).toMatch(/\d+ (ms|s|m|h|d)\b/)
      }),
    )
  })

  it('ticks in whole seconds', () => {
    expect(formatTicking(3900)).toBe('3 s')
    expect(formatTicking(192_300)).toBe('3 m 12 s')
  })
})

describe('formatAge', () => {
  const now = Date.UTC(2026, 2, 29, 12)
  it.each([
    [now - 400, 'now'],
    [now - 12_000, '12 s ago'],
    [now + 180_000, 'in 3 m'],
    [now - 7_300_000, '2 h ago'],
    [now - 400_000_000, '4 d ago'],
  ])('%d', (time, text) => {
    expect(formatAge(time, now)).toBe(text)
  })
})

describe('times in a zone', () => {
  it('writes UTC', () => {
    expect(formatDateTime(Date.UTC(2026, 10, 23, 14, 3, 22), 'utc')).toBe('2026-11-23 14:03:22')
    expect(formatClockMs(Date.UTC(2026, 10, 23, 0, 0, 0, 61), 'utc')).toBe('00:00:00.061')
    expect(zoneName('utc', 0)).toBe('UTC')
  })

  it('reads back what a field holds, in both zones, but for the hour that a clock change repeats', () => {
    const minute = fc.integer({ min: 20_000_000, max: 40_000_000 }).map((n) => n * 60_000)
    fc.assert(
      fc.property(minute, fc.constantFrom('utc', 'local'), (time, zone) => {
        const read = fromDateTimeInput(toDateTimeInput(time, zone), zone) ?? Number.NaN
        expect([0, 3_600_000]).toContain(Math.abs(read - time))
        expect(zone === 'utc' ? read : time).toBe(time)
      }),
    )
  })
})

describe('parseRangeEnd', () => {
  const now = Date.UTC(2026, 10, 23)
  it.each([
    ['now', now],
    ['now-6h', now - 21_600_000],
    ['now+1d', now + 86_400_000],
    ['now-2w', now - 1_209_600_000],
    ['2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
    ['now-6y', undefined],
    ['yesterday', undefined],
    ['', undefined],
  ])('reads %s', (text, time) => {
    expect(parseRangeEnd(text, now)).toBe(time)
  })
})

describe('axisTicks', () => {
  it('gives few round ticks within the range', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 2e12 }), fc.integer({ min: 10, max: 1e11 }))
    fc.assert(
      fc.property(range, ([from, length]) => {
        const ticks = axisTicks(from, from + length, 6)
        expect(ticks.length).toBeLessThanOrEqual(7)
        expect(ticks.every((tick) => tick >= from && tick <= from + length)).toBe(true)
      }),
    )
  })

  it('gives none for an empty range', () => {
    expect(axisTicks(5, 5, 6)).toStrictEqual([])
  })
})

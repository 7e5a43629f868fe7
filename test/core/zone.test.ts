import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTimestamp, type Micros } from '#core/time.ts'
import { fromWall, isTimeZone, offsetAt, toWall } from '#core/zone.ts'

const at = (text: string): Micros => parseTimestamp(text) ?? Number.NaN
const HOUR = 3_600_000_000

describe('time zones', () => {
  it.each([
    ['America/New_York', '2026-01-01', -5 * HOUR],
    ['America/New_York', '2026-07-01', -4 * HOUR],
    ['Asia/Kolkata', '2026-07-01', 5.5 * HOUR],
    ['UTC', '2026-07-01', 0],
  ])('knows the offset of %s on %s', (zone, day, offset) => {
    expect(offsetAt(zone, at(day))).toBe(offset)
  })

  it('takes what clocks show twice as the first time, and moves what they skip', () => {
    const zone = 'America/New_York'
    expect(fromWall(zone, at('2026-11-01T01:30:00Z'))).toBe(at('2026-11-01T05:30:00Z'))
    expect(fromWall(zone, at('2026-03-08T02:30:00Z'))).toBe(at('2026-03-08T07:30:00Z'))
    expect(fromWall(zone, at('2026-03-08T02:30:00Z'), 'back')).toBe(at('2026-03-08T06:30:00Z'))
  })

  it('finds back every time but those that clocks show a second time', () => {
    const zone = fc.constantFrom('America/New_York', 'Europe/London', 'Australia/Lord_Howe', 'UTC')
    const time = fc.integer({ min: at('2000-01-01'), max: at('2036-01-01') })
    fc.assert(
      fc.property(zone, time, (name, given) => {
        const found = fromWall(name, toWall(name, given))
        expect(toWall(name, found)).toBe(toWall(name, given))
        expect(found).toBeLessThanOrEqual(given)
        expect(given - found).toBeLessThanOrEqual(HOUR)
      }),
    )
  })

  it.each([
    ['Europe/Berlin', true],
    ['US/Eastern', true],
    ['Asia/Kolkata', true],
    ['Etc/GMT+5', true],
    ['', false],
    ['utc', false],
    ['+01:00', false],
    ['Europe/Nowhere', false],
  ])('tells whether %j is one: %s', (name, isOne) => {
    expect(isTimeZone(name)).toBe(isOne)
  })
})

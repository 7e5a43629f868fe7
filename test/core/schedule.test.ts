import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextDates, parseSchedule, scheduleDefaults } from '#core/schedule.ts'
import { formatTimestamp, parseTimestamp, type Micros } from '#core/time.ts'
import type { Schedule } from '#core/wire/schedule.ts'
import { toWall } from '#core/zone.ts'

type Head = { prefect: string; crons: [string, boolean][]; rrules: [string, boolean][] }
type Case = [schedule: Schedule, after: string, until: string | null, dates: number[]]

const [head, ...cases] = readFileSync(new URL('fixtures/schedules.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as unknown) as [Head, ...Case[]]

type FoldedCase = [
  schedule: Schedule,
  after: string,
  until: string | null,
  folded: [number, number][],
]

/** The next hundred dates of some of the cases, each distance with how often it comes. */
const hundreds = readFileSync(new URL('fixtures/hundred-dates.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => {
    const [wire, after, until, folded] = JSON.parse(line) as FoldedCase
    const distances = folded.flatMap(([distance, times]) => Array<number>(times).fill(distance))
    return [wire, after, until, distances] satisfies Case
  })

const at = (text: string): Micros => parseTimestamp(text) ?? Number.NaN

/** The cases of a kind whose first dates differ from Prefect's. */
function wrongOf(all: Case[], kind: string, limit: number): Case[] {
  return all
    .filter(([wire]) => kind in wire)
    .filter(([wire, after, until, distances]) => {
      let time = 0
      const expected = distances.map((distance) => {
        time += distance
        return Math.round(time * 1e6)
      })
      const options = { after: at(after), limit, ...(until ? { until: at(until) } : {}) }
      return JSON.stringify(nextDates(wire, options)) !== JSON.stringify(expected)
    })
}

/**
 * croniter leaps over 1 and 2 March when February ends before a later day that the expression lists (30, 31), as these do.
 * Ours fires on them.
 */
const SKIPS_MARCH = new Set(['53/46 7 20,*/5 * 3-0', '36 8 25/5,9,*/10 * 2-1/5,4-1,1-4'])

describe(`against Prefect ${head.prefect}`, () => {
  it('has all its vectors', () => {
    expect(cases.length).toBeGreaterThan(1500)
  })

  it.each(['cron', 'interval', 'rrule'])('gives the same dates: %s', (kind) => {
    expect(wrongOf(cases, kind, 8)).toEqual([])
  })

  it.each(['cron', 'interval', 'rrule'])('gives the same hundred dates: %s', (kind) => {
    expect(hundreds.filter(([, , , distances]) => distances.length === 100).length).toBeGreaterThan(
      300,
    )
    const same = hundreds.filter(([wire]) => !('cron' in wire && SKIPS_MARCH.has(wire.cron)))
    expect(wrongOf(same, kind, 100)).toEqual([])
  })

  it('fires on 1 March, whatever days February lacks', () => {
    const options = { after: at('2026-02-01T12:00:00Z'), limit: 2 }
    expect(nextDates({ cron: '0 0 1,15,30 * *', timezone: 'UTC' }, options)).toEqual([
      at('2026-02-15T00:00:00Z'),
      at('2026-03-01T00:00:00Z'),
    ])
  })

  it.each(head.crons)('takes or refuses cron %j: %s', (cron, isRight) => {
    expect(parseSchedule({ cron }).ok).toBe(isRight)
  })

  it.each(head.rrules)('takes or refuses rule %j: %s', (rrule, isRight) => {
    expect(parseSchedule({ rrule }).ok).toBe(isRight)
  })
})

const ZONES = ['UTC', 'America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Pacific/Apia']
const zone = fc.constantFrom(...ZONES)
const time = fc.integer({ min: at('2010-01-01'), max: at('2036-01-01') })
const schedule: fc.Arbitrary<Schedule> = fc.oneof(
  fc.record({
    cron: fc.constantFrom('*/7 * * * *', '30 2 * * *', '15,45 1-3 * * sun', '0 0 l * *'),
    timezone: zone,
  }),
  fc.record({
    interval: fc.constantFrom(0.25, 61, 5400, 86_400, 108_000, 604_800),
    anchor_date: time.map(formatTimestamp),
    timezone: zone,
  }),
  fc.record({
    rrule: fc.constantFrom('FREQ=DAILY;BYHOUR=1,2,3', 'FREQ=MONTHLY;BYDAY=-1FR', 'FREQ=HOURLY'),
    timezone: zone,
  }),
)

describe('nextDates', () => {
  it('gives different dates in order, none before the start or after the end', () => {
    fc.assert(
      fc.property(schedule, time, fc.integer({ min: 0, max: 1e12 }), (given, after, span) => {
        const dates = nextDates(given, { after, limit: 20, until: after + span })
        expect(dates).toEqual([...new Set(dates)].toSorted((a, b) => a - b))
        expect(dates.length).toBeLessThanOrEqual(20)
        expect(dates.every((date) => date >= after && date <= after + span)).toBe(true)
      }),
    )
  })

  it('goes on where it ended, whatever the start', () => {
    const steady = schedule.filter((given) => !('rrule' in given))
    fc.assert(
      fc.property(steady, time, fc.integer({ min: 1, max: 9 }), (given, after, index) => {
        const dates = nextDates(given, { after, limit: 10 })
        const rest = nextDates(given, { after: dates[index] ?? after, limit: 10 - index })
        expect(rest).toEqual(dates.slice(index))
        const later = nextDates(given, { after: (dates[index] ?? after) + 1, limit: 9 - index })
        expect(later).toEqual(dates.slice(index + 1))
      }),
    )
  })

  it('keeps the hour of days over changes of clocks', () => {
    const wholeDays = fc.record({
      interval: fc.constantFrom(86_400, 172_800, 604_800),
      anchor_date: fc.constant('2020-01-01T17:00:00.000000Z'),
      timezone: zone,
    })
    fc.assert(
      fc.property(wholeDays, time, (given, after) => {
        const hours = nextDates(given, { after, limit: 30 }).map(
          (date) => toWall(given.timezone, date) % 86_400e6,
        )
        expect(new Set(hours).size).toBe(1)
      }),
    )
  })

  it.each([
    { cron: '0 9 * * mon-fri', timezone: 'Europe/Berlin' },
    { cron: '* * * * *', timezone: 'America/New_York' },
    { interval: 108_000, anchor_date: '1990-01-01T00:00:00Z', timezone: 'Europe/London' },
    { rrule: 'FREQ=WEEKLY;BYDAY=MO,FR', timezone: 'Europe/Paris' },
  ])('is quick: %j', (given) => {
    const took = Array.from({ length: 20 }, (_, index) => {
      const start = performance.now()
      nextDates(given, { after: at('2026-03-01') + index * 1e12, limit: 100 })
      return performance.now() - start
    })
    expect(Math.min(...took)).toBeLessThan(5)
  })

  it('ends for schedules that never fire', () => {
    const options = { after: at('2026-01-01'), limit: 3 }
    expect(nextDates({ cron: '0 0 30 2 *' }, options)).toEqual([])
    expect(nextDates({ rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30' }, options)).toEqual([])
    expect(nextDates({ rrule: 'FREQ=SECONDLY;INTERVAL=2;BYSECOND=1' }, options)).toEqual([])
    expect(nextDates({ rrule: 'RRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY' }, options)).toEqual([])
  })

  it('counts long rules without walking them', () => {
    const counted = { rrule: 'DTSTART:20200101T000000\nRRULE:FREQ=MINUTELY;COUNT=525600' }
    const last = nextDates(counted, { after: at('2020-12-30T23:58:00Z'), limit: 9 })
    expect(last.map(formatTimestamp)).toEqual([
      '2020-12-30T23:58:00.000000Z',
      '2020-12-30T23:59:00.000000Z',
    ])
  })

  it('refuses what is not right', () => {
    expect(() => nextDates({ cron: 'x' }, { after: 0, limit: 1 })).toThrow(RangeError)
  })
})

describe('parseSchedule', () => {
  it.each([
    [{ cron: '61 * * * *' }, 'cron', "minute '61' is out of range: 0 to 59"],
    [{ cron: '* * *' }, 'cron', 'expected 5 fields'],
    [{ cron: 'H * * * *' }, 'cron', 'not supported'],
    [{ cron: '0 0 * * *', timezone: 'Mars/Base' }, 'timezone', 'Mars/Base'],
    [{ cron: '0 0 * * *', timezone: '+02:00' }, 'timezone', '+02:00'],
    [{ cron: '0 0 * * *', timezone: 'europe/berlin' }, 'timezone', 'europe/berlin'],
    [{ interval: 1e-9 }, 'interval', 'positive'],
    [{ rrule: 'FREQ=DAILY;BYHOUR=24' }, 'rrule', "invalid 'BYHOUR': expected 0 to 23, got 24"],
  ])('says what is wrong: %j', (given, field, words) => {
    expect(parseSchedule(given)).toEqual({
      ok: false,
      field,
      error: expect.stringContaining(words) as string,
    })
  })
})

it('fills in defaults as Prefect does', () => {
  const now = at('2026-01-02T03:04:05Z')
  expect(scheduleDefaults({ interval: 60 }, now)).toEqual({
    interval: 60,
    anchor_date: '2026-01-02T03:04:05.000000Z',
    timezone: 'UTC',
  })
  const cron = { cron: '@daily', timezone: null, day_or: true }
  expect(scheduleDefaults({ cron: '@daily' }, now)).toEqual(cron)
  expect(scheduleDefaults({ rrule: 'FREQ=DAILY' }, now)).toEqual({
    rrule: 'FREQ=DAILY',
    timezone: 'UTC',
  })
})

import { describe, expect, it } from 'vitest'
import { scheduleOf, seconds } from '../../../agent/cli/schedule-options.ts'
import { describeSchedule } from '../../../agent/cli/schedule-text.ts'

describe('seconds', () => {
  it.each([
    ['90', 90],
    ['90s', 90],
    ['15m', 900],
    ['1.5h', 5400],
    ['2d', 172_800],
  ])('%s', (text, value) => {
    expect(seconds(text)).toBe(value)
  })

  it.each(['', '0', '-5', '1w', 'h', '5 minutes'])("refuses '%s'", (text) => {
    expect(() => seconds(text)).toThrow(/not a duration/)
  })
})

describe('scheduleOf', () => {
  it('makes what the options describe', () => {
    expect(scheduleOf({})).toBeUndefined()
    expect(scheduleOf({ cron: '0 9 * * *', timezone: 'Europe/Berlin', slug: 'morning' })).toEqual({
      schedule: { cron: '0 9 * * *', timezone: 'Europe/Berlin' },
      slug: 'morning',
    })
    expect(scheduleOf({ interval: '1h', anchorDate: '2026-01-01T00:00:00Z' })).toEqual({
      schedule: { interval: 3600, anchor_date: '2026-01-01T00:00:00Z' },
    })
    expect(scheduleOf({ rrule: 'FREQ=DAILY' })).toEqual({ schedule: { rrule: 'FREQ=DAILY' } })
  })

  it('refuses what does not go together', () => {
    expect(() => scheduleOf({ cron: '* * * * *', interval: '1h' })).toThrow(/only one/)
    expect(() => scheduleOf({ cron: '* * * * *', anchorDate: '2026-01-01' })).toThrow(/--interval/)
    expect(() => scheduleOf({ interval: '1h', anchorDate: 'monday' })).toThrow(/not a time/)
  })
})

describe('describeSchedule', () => {
  it.each([
    [{ interval: 5400 }, 'every 1 h 30 m'],
    [{ cron: '0 9 * * 1', timezone: 'Europe/Berlin' }, 'cron 0 9 * * 1 (Europe/Berlin)'],
    [{ rrule: 'FREQ=DAILY', timezone: null }, 'rrule FREQ=DAILY'],
  ])('%o', (schedule, text) => {
    expect(describeSchedule(schedule)).toBe(text)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import type { DeploymentSchedule, Schedule } from '#core/wire/schedule.ts'
import { planSchedules, seenAfterChange } from '#domain/scheduling.ts'
import { NOW, seconds } from '../support/a-home-run.ts'
import { aSchedule } from '../support/a-schedule.ts'

const HOUR = 3600
const DAY = 24 * HOUR

const every = (interval: number, anchor = 0): Schedule => ({
  interval,
  anchor_date: formatTimestamp(seconds(anchor)),
  timezone: 'UTC',
})
const nothing = new Map<string, Set<number>>()
const plan = (...schedules: DeploymentSchedule[]) => planSchedules(schedules, nothing, NOW)
const inSeconds = (time: number | null) => (time === null ? null : (time - NOW) / 1_000_000)

describe('planSchedules', () => {
  it.each<[string, Schedule, number, number, number | null]>([
    // name, schedule, how many, the last one, when to plan again (seconds from now)
    ['a second', every(1), 100, 99, 60],
    ['ten seconds', every(10), 100, 990, 60],
    ['a minute', every(60, 60), 61, HOUR, 60],
    ['half an hour', every(HOUR / 2, 60), 3, 60 + HOUR, 60],
    ['an hour', every(HOUR, 600), 3, 600 + 2 * HOUR, 600],
    ['a day', every(DAY, 600), 3, 600 + 2 * DAY, 600],
    ['a month', every(30 * DAY, 600), 3, 600 + 60 * DAY, 600],
    ['fifty days: two are within the hundred', every(50 * DAY, 600), 2, 600 + 50 * DAY, 600],
    ['a year', every(365 * DAY, 600), 1, 600, 600],
  ])('every %s', (_name, schedule, count, last, again) => {
    const { dates, nextAt } = plan(aSchedule(schedule))
    expect(dates).toHaveLength(count)
    expect(inSeconds(dates.at(-1)?.date ?? null)).toBe(last)
    expect(inSeconds(nextAt)).toBe(again)
  })

  it('looks again for dates that are beyond its horizon', () => {
    const yearly = aSchedule({ cron: '0 9 1 1 *', timezone: 'UTC' })
    const { dates, nextAt } = plan(yearly)
    expect(dates).toEqual([])
    expect(inSeconds(nextAt)).toBeGreaterThan(100 * DAY)
    const later = planSchedules([yearly], nothing, nextAt ?? 0)
    expect(later.dates.map(({ date }) => formatTimestamp(date))).toEqual([
      '2027-01-01T09:00:00.000000Z',
    ])
    expect(later.nextAt).toBe(later.dates[0]?.date)
  })

  it('never looks again at a schedule that is over', () => {
    const rrule = 'DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=3'
    expect(plan(aSchedule({ rrule, timezone: 'UTC' }))).toMatchObject({ dates: [], nextAt: null })
  })

  it('leaves inactive schedules alone', () => {
    expect(plan(aSchedule(every(60), { active: false }))).toMatchObject({ dates: [], nextAt: null })
    expect(plan()).toMatchObject({ dates: [], nextAt: null })
  })

  it('takes all schedules together, each with its own dates', () => {
    const [hourly, daily] = [aSchedule(every(HOUR, 60)), aSchedule(every(DAY, 600))]
    const { dates, nextAt } = plan(hourly, daily)
    const of = (schedule: DeploymentSchedule) => dates.filter((each) => each.schedule === schedule)
    expect([of(hourly).length, of(daily).length]).toEqual([3, 3])
    expect(inSeconds(nextAt)).toBe(60)
  })

  it('makes no more ahead than a schedule allows', () => {
    expect(plan(aSchedule(every(1), { max_scheduled_runs: 5 })).dates).toHaveLength(5)
  })

  it('asks for no date that has its run', () => {
    const schedule = aSchedule(every(HOUR, 60))
    const taken = new Map([[schedule.id, new Set([seconds(60), seconds(60 + HOUR)])]])
    const { dates } = planSchedules([schedule], taken, NOW)
    expect(dates.map(({ date }) => inSeconds(date))).toEqual([60 + 2 * HOUR])
  })

  it('misses no date and repeats none, whenever it is asked again', () => {
    const interval = fc.integer({ min: 30, max: 5 * DAY })
    const steps = fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), {
      minLength: 1,
      maxLength: 12,
    })
    fc.assert(
      fc.property(interval, fc.integer({ min: 0, max: DAY }), steps, (length, anchor, waits) => {
        const schedule = aSchedule(every(length, anchor))
        const taken = new Set<number>()
        let now = NOW
        let covered = NOW
        for (const wait of waits) {
          const planned = planSchedules([schedule], new Map([[schedule.id, taken]]), now)
          for (const { date } of planned.dates) {
            expect(taken.has(date)).toBe(false)
            taken.add(date)
          }
          const ahead = [...taken].filter((date) => date >= now).toSorted((a, b) => a - b)
          expect(ahead.length).toBeGreaterThanOrEqual(3)
          expect(ahead.length).toBeLessThanOrEqual(100)
          if (ahead.length < 100) {
            expect((ahead.at(-1) ?? 0) - now).toBeGreaterThanOrEqual(HOUR * 1_000_000)
          }
          for (const [index, date] of ahead.entries()) {
            expect(index === 0 || date - (ahead[index - 1] ?? 0) === length * 1_000_000).toBe(true)
          }
          // No date lies between what was covered and what is planned now.
          expect((ahead[0] ?? 0) - length * 1_000_000).toBeLessThanOrEqual(Math.max(covered, now))
          covered = ahead.at(-1) ?? covered
          expect(planned.nextAt ?? 0).toBeGreaterThan(now)
          expect(planned.nextAt ?? Infinity).toBeLessThanOrEqual(covered)
          now += Math.round(((planned.nextAt ?? now) - now) * wait)
        }
      }),
    )
  })
})

describe('seenAfterChange', () => {
  const hourly = aSchedule(every(HOUR))
  it.each<[string, DeploymentSchedule[], DeploymentSchedule[], number | undefined]>([
    ['the same', [hourly], [{ ...hourly, parameters: { a: 1 } }], -50],
    ['new', [], [hourly], undefined],
    ['paused', [hourly], [{ ...hourly, active: false }], undefined],
    ['resumed', [{ ...hourly, active: false }], [hourly], undefined],
    ['of other dates', [hourly], [{ ...hourly, schedule: every(60) }], undefined],
    ['gone', [hourly], [], undefined],
  ])('a schedule that is %s', (_name, before, after, expected) => {
    const kept = seenAfterChange({ [hourly.id]: seconds(-50) }, before, after, NOW)
    expect(kept[hourly.id]).toBe(expected === undefined ? undefined : seconds(expected))
  })

  it('has no future: that is made anew', () => {
    const kept = seenAfterChange({ [hourly.id]: seconds(50) }, [hourly], [hourly], NOW)
    expect(kept[hourly.id]).toBe(NOW)
  })
})

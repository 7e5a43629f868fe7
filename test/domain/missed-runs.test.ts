import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lastDates, nextDates } from '#core/schedule.ts'
import { formatTimestamp } from '#core/time.ts'
import type { MissedRuns, Schedule } from '#core/wire/schedule.ts'
import { missedRule, supersededRuns, unseenDates } from '#domain/missed-runs.ts'
import { planSchedules } from '#domain/scheduling.ts'
import { aHomeRun, at, inState, NOW, seconds } from '../support/a-home-run.ts'
import { aSchedule } from '../support/a-schedule.ts'

const missed = (policy: MissedRuns['policy'], window_seconds: number | null = null) => ({
  policy,
  window_seconds,
})

const every = (interval: number): Schedule => ({
  interval,
  anchor_date: formatTimestamp(NOW),
  timezone: 'UTC',
})

describe('lastDates', () => {
  it('are the last of all dates of the span', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 5000 }),
        fc.integer({ min: 0, max: 20_000 }),
        fc.integer({ min: 1, max: 120 }),
        (interval, span, limit) => {
          const [after, before] = [seconds(-span), NOW + 1]
          const all: number[] = []
          for (let date = NOW; date >= after; date -= interval * 1_000_000) {
            all.unshift(date)
          }
          expect(lastDates(every(interval), { after, before, limit })).toEqual(all.slice(-limit))
        },
      ),
    )
  })

  it('are found where there are more than are looked at in one go', () => {
    const dates = lastDates(every(0.01), { after: seconds(-3600), before: NOW, limit: 2 })
    expect(dates).toEqual([seconds(-0.02), seconds(-0.01)])
  })

  it('are none before a rule begins', () => {
    const rule = { rrule: 'DTSTART:20260601T115900Z\nRRULE:FREQ=MINUTELY', timezone: 'UTC' }
    const dates = lastDates(rule, { after: seconds(-86_400), before: NOW, limit: 5 })
    expect(dates).toEqual([seconds(-60)])
  })
})

describe('unseenDates', () => {
  it.each<[MissedRuns | null, number[]]>([
    [null, []],
    [missed('all'), []],
    [missed('all', 25), [-20, -10]],
    [missed('all', 20), [-10]],
    [missed('last'), [-10]],
    [missed('last', 10), []],
    [missed('last', 11), [-10]],
    [missed('skip'), [-60 + 10, -40, -30, -20, -10]],
    [missed('skip', 15), [-10]],
  ])('%j', (rule, expected) => {
    // The newest date is now: it is still to come.
    const dates = unseenDates(aSchedule(every(10), { missed_runs: rule }), seconds(-3600), NOW)
    expect(dates).toEqual(expected.map(seconds))
  })

  it('are at most a hundred', () => {
    const dates = unseenDates(
      aSchedule(every(10), { missed_runs: missed('all', 86_400) }),
      seconds(-80_000),
      NOW,
    )
    expect([dates.length, dates[0], dates.at(-1)]).toEqual([100, seconds(-1000), seconds(-10)])
  })

  it('with what is planned ahead leave no date out and take none twice, however late each plan is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 7, max: 4000 }),
        fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 12 }),
        (interval, delays) => {
          const schedule = aSchedule(every(interval), { missed_runs: missed('all', 100_000) })
          const made: number[] = []
          let now = NOW
          let seen = {}
          for (const delay of delays) {
            const taken = new Map([[schedule.id, new Set(made.filter((date) => date > now))]])
            const plan = planSchedules([schedule], taken, now, seen)
            made.push(...plan.dates.map(({ date }) => date))
            seen = plan.seen
            now = (plan.nextAt ?? now) + Math.min(delay, interval * 90) * 1_000_000
          }
          const all = nextDates(schedule.schedule, { after: NOW, limit: 1000 })
          const sorted = made.toSorted((a, b) => a - b)
          expect(sorted.slice(0, 1000)).toEqual(all.slice(0, made.length))
        },
      ),
    )
  })
})

describe('supersededRuns', () => {
  const aRun = (id: string, date: number, given: object = {}, schedule = 'schedule') =>
    aHomeRun(
      inState(
        { type: 'SCHEDULED', state_details: { scheduled_time: at(date) } },
        {
          id,
          auto_scheduled: true,
          expected_start_time: at(date),
          created_by: { id: schedule, type: 'SCHEDULE', display_value: null },
          ...given,
        },
      ),
      { missed: { last: true, until: null } },
    )
  const ids = (...runs: ReturnType<typeof aRun>[]) =>
    supersededRuns(runs, NOW).map(({ record }) => record.id)

  it('are the older ones of those that have arrived, by schedule', () => {
    expect(
      ids(aRun('a', -30), aRun('b', -20), aRun('c', -10), aRun('d', 10), aRun('e', -40, {}, 'x')),
    ).toEqual(['a', 'b'])
  })

  it('are none that were begun, moved or made by hand', () => {
    expect(
      ids(
        aRun('begun', -30, { run_count: 1 }),
        aRun('moved', -30, { next_scheduled_start_time: at(-5) }),
        aRun('manual', -30, { auto_scheduled: false }),
        { ...aRun('live', -30), live: true },
        aRun('newest', -10),
      ),
    ).toEqual([])
  })

  it('are those that wait for a slot, too', () => {
    const put = { state_name: 'AwaitingConcurrencySlot', next_scheduled_start_time: at(20) }
    expect(ids(aRun('a', -30, put), aRun('b', -20))).toEqual(['a'])
  })
})

describe('missedRule', () => {
  it.each<[MissedRuns | null, object | undefined]>([
    [null, undefined],
    [missed('all'), undefined],
    [missed('all', 5), { last: false, until: seconds(5) }],
    [missed('last'), { last: true, until: null }],
    [missed('last', 5), { last: true, until: seconds(5) }],
    [missed('skip'), { last: false, until: seconds(60) }],
  ])('%j', (rule, expected) => {
    expect(missedRule(rule, NOW)).toEqual(expected)
  })
})

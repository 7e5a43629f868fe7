import { expect, it } from 'vitest'
import { scheduleText } from '#lib/work/schedule-text.ts'

const stored = {
  id: '1',
  created: '',
  updated: '',
  deployment_id: '1',
  active: true,
  max_scheduled_runs: null,
  parameters: {},
  slug: null,
}

it.each([
  [{ cron: '0 6 * * *', timezone: 'Europe/Berlin' }, '0 6 * * * Europe/Berlin'],
  [{ interval: 300 }, 'every 5 m'],
  [{ interval: 90 }, 'every 1 m 30 s'],
  [{ interval: 5 }, 'every 5.0 s'],
  [{ interval: 86_400 }, 'every 1 d'],
  [{ rrule: 'FREQ=DAILY' }, 'FREQ=DAILY'],
])('%j', (schedule, text) => {
  expect(scheduleText({ ...stored, schedule })).toBe(text)
})

it('says that a schedule is off', () => {
  expect(scheduleText({ ...stored, active: false, schedule: { interval: 60 } })).toBe(
    'every 1 m (off)',
  )
})

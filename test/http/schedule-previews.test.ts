import { expect, test } from 'vitest'
import { aWorkspace } from '../support/workspace.ts'

const BERLIN = { timezone: 'Europe/Berlin' }

test('the next dates of a schedule that is not stored, by its clocks', async () => {
  const { client } = await aWorkspace()
  const preview = await client.previewSchedule({
    schedule: { cron: '30 2 * * *', ...BERLIN },
    after: '2026-03-27T12:00:00Z',
    limit: 4,
  })
  expect(preview).toEqual({
    schedule: { cron: '30 2 * * *', ...BERLIN, day_or: true },
    timezone: 'Europe/Berlin',
    dates: [
      { date: '2026-03-28T01:30:00.000000Z', local: '2026-03-28T02:30:00+01:00', note: null },
      {
        date: '2026-03-29T01:30:00.000000Z',
        local: '2026-03-29T03:30:00+02:00',
        note: 'the clocks skip the time that the schedule names: as much later',
      },
      { date: '2026-03-30T00:30:00.000000Z', local: '2026-03-30T02:30:00+02:00', note: null },
      { date: '2026-03-31T00:30:00.000000Z', local: '2026-03-31T02:30:00+02:00', note: null },
    ],
  })
})

test.for([
  [
    { cron: '30 2 * * *', ...BERLIN },
    '2026-10-25T00:00:00Z',
    'the clocks show this time twice: once, the first time',
  ],
  [
    { cron: '30 3 * * *', ...BERLIN },
    '2026-03-28T12:00:00Z',
    'the clocks have gone forward by 1 h since',
  ],
  [
    { interval: 86_400, anchor_date: '2026-10-01T10:00:00Z', ...BERLIN },
    '2026-10-25T00:30:00Z',
    'the clocks have gone back by 1 h since',
  ],
  [{ rrule: 'FREQ=DAILY' }, '2026-03-29T00:00:00Z', null],
] as const)('%j from %s on: %s', async ([schedule, after, note]) => {
  const { client } = await aWorkspace()
  const { dates } = await client.previewSchedule({ schedule, after, limit: 1 })
  expect(dates.map((date) => date.note)).toEqual([note])
})

test('a zone beside the schedule counts instead of its own', async () => {
  const { client } = await aWorkspace()
  const preview = await client.previewSchedule({
    schedule: { cron: '0 9 * * *', ...BERLIN },
    timezone: 'America/New_York',
    after: '2026-01-01T00:00:00Z',
    limit: 1,
  })
  expect(preview).toMatchObject({
    timezone: 'America/New_York',
    dates: [{ local: '2026-01-01T09:00:00-05:00' }],
  })
})

test('a stored schedule', async () => {
  const { client } = await aWorkspace()
  const flow = await client.createFlow({ name: 'f' })
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    schedules: [{ schedule: { cron: '0 9 1 1 *' } }],
  })
  const schedule = deployment.schedules[0]?.id ?? ''
  const { dates } = await client.previewStoredSchedule(deployment.id, schedule, 2)
  expect(dates.map(({ local }) => local.slice(4))).toEqual(
    Array.from({ length: 2 }, () => '-01-01T09:00:00+00:00'),
  )
  await expect(client.previewStoredSchedule(deployment.id, crypto.randomUUID())).rejects.toThrow(
    'Schedule not found',
  )
  const other = await aWorkspace()
  await expect(other.client.previewStoredSchedule(deployment.id, schedule)).rejects.toThrow(
    'Deployment not found',
  )
})

test.for([
  { schedule: { cron: 'never' } },
  { schedule: { interval: 60, timezone: 'Nowhere/At' } },
  { schedule: { interval: 60 }, timezone: 'Nowhere/At' },
  { schedule: { interval: 60 }, limit: 101 },
  { schedule: { interval: 60 }, after: 'soon' },
])('%j is refused', async (body) => {
  const { client } = await aWorkspace()
  await expect(client.previewSchedule(body as never)).rejects.toMatchObject({ status: 422 })
})

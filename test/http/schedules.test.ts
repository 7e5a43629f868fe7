import { expect, test } from 'vitest'
import { call, faults } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function aDeployed() {
  const made = await aWorkspace()
  const flow = await made.client.createFlow({ name: 'f' })
  const deployment = await made.client.createDeployment({ name: 'd', flow_id: flow.id })
  return { ...made, id: deployment.id, path: `/deployments/${deployment.id}/schedules` }
}

test('schedules are added, changed and removed', async () => {
  const { client, id } = await aDeployed()
  const [interval, cron] = await client.createSchedules(id, [
    { schedule: { interval: 3600, anchor_date: '2026-01-01 00:00:00+01:00' }, slug: 'hourly' },
    { schedule: { cron: '0 0 L * *', timezone: 'Europe/Berlin', day_or: false }, active: false },
  ])
  expect(interval).toMatchObject({
    deployment_id: id,
    slug: 'hourly',
    active: true,
    parameters: {},
    max_scheduled_runs: null,
    schedule: {
      interval: 3600,
      anchor_date: '2025-12-31T23:00:00.000000Z',
      timezone: 'UTC',
    },
  })
  expect(cron?.schedule).toEqual({ cron: '0 0 L * *', timezone: 'Europe/Berlin', day_or: false })
  expect(await client.readSchedules(id)).toHaveLength(2)
  const [minutes] = await client.createSchedules(id, [
    { schedule: { interval: 'PT1M30S' as never } },
  ])
  expect(minutes?.schedule).toMatchObject({ interval: 90 })
  await client.deleteSchedule(id, minutes?.id ?? '')
  const hourly = interval?.id ?? ''
  await client.updateSchedule(id, hourly, {
    active: false,
    parameters: { a: 1 },
    slug: null,
    schedule: { interval: 60 },
  })
  const [latest] = await client.readSchedules(id)
  expect(latest).toMatchObject({
    id: hourly,
    slug: 'hourly',
    active: false,
    parameters: { a: 1 },
    schedule: { interval: 60 },
  })
  expect((await client.readDeployment(id)).schedules.map((schedule) => schedule.id)).toEqual([
    hourly,
    cron?.id,
  ])
  await client.deleteSchedule(id, hourly.toUpperCase())
  expect((await client.readSchedules(id)).map((schedule) => schedule.id)).toEqual([cron?.id])
})

test('schedules added at once with one slug are added once', async () => {
  const { client, id } = await aDeployed()
  const add = async () => {
    try {
      await client.createSchedules(id, [{ schedule: { interval: 60 }, slug: 's' }])
      return 'added'
    } catch {
      return 'refused'
    }
  }
  const results = await Promise.all([add(), add(), add()])
  expect(results.toSorted()).toEqual(['added', 'refused', 'refused'])
  expect(await client.readSchedules(id)).toHaveLength(1)
})

test.for<[string, string, unknown, number, unknown]>([
  ['POST', '', { schedule: {} }, 422, ['body']],
  ['POST', '', [{ schedule: { interval: 'PT' } }], 422, ['body', 0, 'schedule']],
  ['POST', '', [{ schedule: { interval: 0 } }], 422, ['body', 0, 'schedule', 'interval']],
  ['POST', '', [{ schedule: { cron: '* * *' } }], 422, ['body', 0, 'schedule', 'cron']],
  [
    'POST',
    '',
    [{ schedule: { cron: '0 0 * * *' }, max_scheduled_runs: 101 }],
    422,
    ['body', 0, 'max_scheduled_runs'],
  ],
  ['POST', '', [{ schedule: { interval: 60 }, slug: 'taken' }], 409, undefined],
  ['PATCH', '/{schedule}', { schedule: { cron: 'x' } }, 422, ['body', 'schedule', 'cron']],
  ['PATCH', '/{schedule}', { slug: 'taken' }, 409, undefined],
  ['PATCH', `/${NOWHERE}`, { active: false }, 404, undefined],
  ['DELETE', `/${NOWHERE}`, undefined, 404, undefined],
])('%s schedules%s %j is a %i', async ([method, tail, body, status, location]) => {
  const { client, key, id, path } = await aDeployed()
  const [, other] = await client.createSchedules(id, [
    { schedule: { interval: 60 }, slug: 'taken' },
    { schedule: { interval: 61 }, slug: 'other' },
  ])
  const before = await client.readSchedules(id)
  const address = path + tail.replace('{schedule}', other?.id ?? '')
  const answer = await call(key, method, address, body)
  expect(answer.status).toBe(status)
  expect(faults(answer.body)).toEqual(location === undefined ? 'detail' : [location])
  expect(await client.readSchedules(id)).toEqual(before)
  expect(await call(undefined, method, address, body)).toMatchObject({ status: 401 })
})

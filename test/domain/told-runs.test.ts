import { expect, test } from 'vitest'
import type { Event } from '#core/wire/event.ts'
import { toldRunsOf } from '#domain/told-runs.ts'

const event = (name: string, resource: string, related: [string, string][] = []): Event => ({
  id: '01890000-0000-7000-8000-000000000001',
  occurred: '2026-01-01T00:00:00.000000Z',
  event: name,
  resource: { 'prefect.resource.id': resource },
  related: related.map(([role, id]) => ({
    'prefect.resource.id': id,
    'prefect.resource.role': role,
  })),
  payload: {},
})

test.for<[Event, string[] | null]>([
  [event('order.shipped', 'prefect.flow-run.A'), null],
  [
    event('prefect.deployment.ready', 'prefect.deployment.D', [['flow-run', 'prefect.flow-run.a']]),
    null,
  ],
  [event('prefect.flow-run.Completed', 'prefect.flow-run.A'), ['a']],
  [event('prefect.flow-run.Completed', 'order.7'), []],
  [event('prefect.flow-run.Late', 'order.7', [['flow-run', 'prefect.flow-run.b']]), ['b']],
  [event('prefect.task-run.Failed', 'prefect.task-run.t'), []],
  [
    event('prefect.task-run.Failed', 'prefect.task-run.t', [
      ['flow', 'prefect.flow.f'],
      ['flow-run', 'prefect.flow-run.b'],
      ['flow-run', 'prefect.flow-run.c'],
    ]),
    ['b', 'c'],
  ],
])('%# tells of the life of no runs but these', ([sent, runs]) => {
  expect(toldRunsOf(sent)).toEqual(runs)
})

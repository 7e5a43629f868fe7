import { expect, test } from 'vitest'
import type { DeploymentScheduleUpdate } from '#core/wire/schedule.ts'
import { DomainError } from '#domain/errors.ts'
import {
  addSchedules,
  mergeSchedules,
  replaceSchedules,
  updateSchedule,
  type ScheduleChanges,
} from '#domain/schedules-merge.ts'

const cron = { cron: '0 1 * * *', timezone: 'UTC' }
const noChange: ScheduleChanges = { remove: [], insert: [], update: [] }
const existing = (...slugs: (string | null)[]) =>
  slugs.map((slug, index) => ({ id: `s${index}`, slug }))
const made = (slug: string | null) => expect.objectContaining({ schedule: cron, slug })

test.for<[string, (string | null)[], DeploymentScheduleUpdate[] | null | undefined, unknown]>([
  ['absent leaves slugged ones', ['a'], undefined, noChange],
  ['null leaves unslugged ones', [null], null, noChange],
  ['an empty list leaves slugged ones', ['a', 'b'], [], noChange],
  ['an empty list removes unslugged ones', [null, 'b'], [], { ...noChange, remove: ['s0', 's1'] }],
  ['an empty list beside none is no change', [], [], noChange],
  [
    'a slug that is known is updated with what is given; the others stay',
    ['a', 'b'],
    [{ slug: 'b', active: false, parameters: null }],
    { ...noChange, update: [{ id: 's1', fields: { slug: 'b', active: false } }] },
  ],
  [
    'a slug that is not known is created',
    ['a'],
    [{ slug: 'c', schedule: cron }],
    { ...noChange, insert: [made('c')] },
  ],
  [
    '`replaces` renames',
    ['a', 'b'],
    [{ slug: 'c', replaces: 'a' }],
    { ...noChange, update: [{ id: 's0', fields: { slug: 'c' } }] },
  ],
  [
    'two may swap their names',
    ['a', 'b'],
    [
      { slug: 'b', replaces: 'a' },
      { slug: 'a', replaces: 'b' },
    ],
    {
      ...noChange,
      update: [
        { id: 's0', fields: { slug: 'b' } },
        { id: 's1', fields: { slug: 'a' } },
      ],
    },
  ],
  [
    '`replaces` of one that is gone creates',
    ['a'],
    [{ slug: 'c', replaces: 'gone', schedule: cron }],
    { ...noChange, insert: [made('c')] },
  ],
  [
    'beside an unslugged one all are replaced',
    ['a', null],
    [{ slug: 'a', schedule: cron }],
    { ...noChange, remove: ['s0', 's1'], insert: [made('a')] },
  ],
  [
    'beside none those with a schedule are made',
    [],
    [{ schedule: cron }, { active: true }],
    { ...noChange, insert: [made(null)] },
  ],
])('update: %s', ([, slugs, provided, changes]) => {
  const merged = mergeSchedules(existing(...slugs), provided)
  const insert = merged.insert.map((schedule) => ({ ...schedule, slug: schedule.slug ?? null }))
  expect({ ...merged, insert }).toEqual(changes)
})

test.for<[string, (string | null)[], DeploymentScheduleUpdate[], string, unknown]>([
  ['a slug is missing', ['a'], [{ schedule: cron }], 'invalid', ['schedules', 0, 'slug']],
  ['nothing to create from', ['a'], [{ slug: 'b' }], 'invalid', ['schedules', 0, 'schedule']],
  [
    'two replace the same',
    ['a'],
    [
      { slug: 'x', replaces: 'a' },
      { slug: 'y', replaces: 'a' },
    ],
    'invalid',
    ['schedules', 1, 'replaces'],
  ],
  [
    'a rename onto another',
    ['a', 'b'],
    [{ slug: 'b', replaces: 'a' }],
    'invalid',
    ['schedules', 0, 'slug'],
  ],
  [
    'two new ones with one slug',
    ['a'],
    [
      { slug: 'x', schedule: cron },
      { slug: 'x', schedule: cron },
    ],
    'conflict',
    [],
  ],
])('update refused: %s', ([, slugs, provided, code, field]) => {
  const error = caught(() => mergeSchedules(existing(...slugs), provided))
  expect(error).toMatchObject({ code, field })
})

test('replacing, adding and changing keep slugs unique', () => {
  const a = { slug: 'a', schedule: cron }
  expect(replaceSchedules(existing('a'), [a]).remove).toEqual(['s0'])
  expect(caught(() => replaceSchedules([], [a, a]))).toMatchObject({ code: 'conflict' })
  expect(addSchedules(existing('b', null), [a]).insert).toEqual([a])
  expect(caught(() => addSchedules(existing('a'), [a]))).toMatchObject({ code: 'conflict' })
  expect(updateSchedule(existing('a', 'b'), 's0', { slug: 'a', active: false }).update).toEqual([
    { id: 's0', fields: { slug: 'a', active: false } },
  ])
  expect(caught(() => updateSchedule(existing('a', 'b'), 's0', { slug: 'b' }))).toMatchObject({
    code: 'conflict',
  })
})

function caught(run: () => unknown): DomainError {
  try {
    run()
  } catch (error) {
    if (error instanceof DomainError) {
      return error
    }
    throw error
  }
  throw new Error('nothing was refused')
}

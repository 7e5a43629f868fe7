import { describe, expect, it } from 'vitest'
import { planSchedules } from '#core/schedule-changes.ts'
import type { DeploymentSchedule } from '#core/wire/schedule.ts'

let count = 0

function aSchedule(values: Partial<DeploymentSchedule> = {}): DeploymentSchedule {
  count += 1
  return {
    id: `schedule-${count}`,
    created: '2026-01-01T00:00:00.000000Z',
    updated: '2026-01-01T00:00:00.000000Z',
    deployment_id: 'deployment',
    schedule: { cron: '0 9 * * *', timezone: null },
    active: true,
    max_scheduled_runs: null,
    parameters: {},
    slug: null,
    missed_runs: null,
    ...values,
  }
}

const NOTHING = { create: [], update: [], remove: [], keep: [] }

describe('planSchedules', () => {
  it('does nothing where nothing has changed, and keeps a pause made by hand', () => {
    const paused = aSchedule({ active: false })
    const interval = aSchedule({
      schedule: { interval: 60, anchor_date: '2026-01-01T00:00:07.000000Z', timezone: 'UTC' },
      slug: 'often',
    })
    const wanted = [
      { schedule: { cron: '0 9 * * *' } },
      { schedule: { interval: 60 }, slug: 'often' },
    ]
    expect(planSchedules([interval, paused], wanted)).toEqual(NOTHING)
  })

  it('resumes one where the file says so', () => {
    const paused = aSchedule({ active: false })
    const plan = planSchedules([paused], [{ schedule: { cron: '0 9 * * *' }, active: true }])
    expect(plan).toEqual({ ...NOTHING, update: [{ id: paused.id, body: { active: true } }] })
  })

  it('changes one of the same slug, its interval in the old rhythm', () => {
    const old = aSchedule({
      schedule: { interval: 60, anchor_date: '2026-01-01T00:00:07.000000Z', timezone: 'UTC' },
      slug: 'often',
    })
    const plan = planSchedules([old], [{ schedule: { interval: 90 }, slug: 'often' }])
    expect(plan.update).toEqual([
      {
        id: old.id,
        body: { schedule: { interval: 90, anchor_date: '2026-01-01T00:00:07.000000Z' } },
      },
    ])
  })

  it('renames one by `replaces`', () => {
    const old = aSchedule({ slug: 'old' })
    const wanted = { schedule: { cron: '0 9 * * *' }, slug: 'new', replaces: 'old' }
    const plan = planSchedules([old], [wanted])
    expect(plan).toEqual({ ...NOTHING, update: [{ id: old.id, body: { slug: 'new' } }] })
  })

  it('removes what the file does not list, but keeps what has a name', () => {
    const unnamed = aSchedule()
    const named = aSchedule({ slug: 'by-hand' })
    const wanted = { schedule: { cron: '0 10 * * *' } }
    expect(planSchedules([unnamed, named], [wanted])).toEqual({
      create: [wanted],
      update: [],
      remove: [unnamed],
      keep: [named],
    })
  })

  it('matches no schedule twice', () => {
    const one = aSchedule()
    const wanted = { schedule: { cron: '0 9 * * *' } }
    expect(planSchedules([one], [wanted, wanted])).toEqual({ ...NOTHING, create: [wanted] })
  })

  it('sees a change of parameters, whatever the order of keys', () => {
    const old = aSchedule({ parameters: { a: 1, b: { c: 2, d: 3 } } })
    const cron = { cron: '0 9 * * *' }
    const same = { schedule: cron, parameters: { b: { d: 3, c: 2 }, a: 1 } }
    expect(planSchedules([old], [same])).toEqual(NOTHING)
    const changed = { schedule: cron, parameters: { a: 2 } }
    expect(planSchedules([old], [changed]).update).toEqual([
      { id: old.id, body: { parameters: { a: 2 } } },
    ])
  })
})

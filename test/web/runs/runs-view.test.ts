import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flowRunFacetsQuery, flowRunHistogramQuery, flowRunRowsQuery } from '#core/wire/query.ts'
import {
  DEFAULT_VIEW,
  compareRows,
  formatRunsView,
  matchesView,
  parseRunsView,
  rangeOf,
  toFacetsQuery,
  toHistogramQuery,
  toRowsQuery,
  type RunsView,
} from '#lib/runs/runs-view.ts'
import { STATE_KINDS } from '#lib/runs/state-kind.ts'
import { aRunRow } from '../../support/a-run-row.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')

const end = fc.oneof(
  fc.constantFrom('now', 'now-15m', 'now-24h', 'now+2d', 'now-7d'),
  fc
    .date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
)
const anyView: fc.Arbitrary<RunsView> = fc.record(
  {
    states: fc.subarray([...STATE_KINDS]),
    name: fc.string(),
    flow: fc.string(),
    deployment: fc.string(),
    pool: fc.string(),
    queue: fc.string(),
    tags: fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 3 }),
    from: end,
    to: end,
    sort: fc.constantFrom(
      'EXPECTED_START_TIME_DESC' as const,
      'EXPECTED_START_TIME_ASC' as const,
      'NAME_ASC' as const,
      'NAME_DESC' as const,
    ),
  },
  { noNullPrototype: true },
)

describe('the view in the URL', () => {
  it('comes back as it went in', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        expect(parseRunsView(new URLSearchParams(formatRunsView(view)))).toStrictEqual(view)
      }),
    )
  })

  it('is empty for what is shown by default', () => {
    expect(formatRunsView(DEFAULT_VIEW)).toBe('')
    expect(parseRunsView(new URLSearchParams(''))).toStrictEqual(DEFAULT_VIEW)
  })

  it('reads whatever stands there', () => {
    fc.assert(
      fc.property(fc.webQueryParameters(), (text) => {
        const view = parseRunsView(new URLSearchParams(text))
        const { from, to } = rangeOf(view, NOW)
        expect(from).toBeLessThan(to)
      }),
    )
    expect(
      parseRunsView(new URLSearchParams('state=failed,gone&from=soon&sort=SIZE')),
    ).toStrictEqual({
      ...DEFAULT_VIEW,
      states: ['failed'],
    })
  })

  it('stays readable', () => {
    const view: RunsView = { ...DEFAULT_VIEW, states: ['failed', 'late'], from: 'now-6h' }
    expect(formatRunsView(view)).toBe('?state=late,failed&from=now-6h')
  })
})

const stateFilter = (states: RunsView['states']) =>
  toRowsQuery({ ...DEFAULT_VIEW, states }, NOW).flow_runs?.state

describe('what the server is asked', () => {
  it('is always a query that it takes', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        expect(flowRunRowsQuery.safeParse(toRowsQuery(view, NOW, 'c')).error).toBeUndefined()
        expect(flowRunFacetsQuery.safeParse(toFacetsQuery(view, NOW)).error).toBeUndefined()
        expect(
          flowRunHistogramQuery.safeParse(toHistogramQuery(view, NOW, 72)).error,
        ).toBeUndefined()
      }),
    )
  })

  it('names Late beside types', () => {
    expect(stateFilter([])).toBeUndefined()
    expect(stateFilter(['late'])).toStrictEqual({ name: { any_: ['Late'] } })
    expect(stateFilter(['failed'])).toStrictEqual({ type: { any_: ['FAILED'] } })
    expect(stateFilter(['failed', 'late'])).toStrictEqual({
      operator: 'or_',
      type: { any_: ['FAILED'] },
      name: { any_: ['Late'] },
    })
  })

  it('counts states whichever are chosen', () => {
    const query = toFacetsQuery({ ...DEFAULT_VIEW, states: ['failed'] }, NOW)
    expect(query.flow_runs?.state).toBeUndefined()
  })
})

describe('matchesView', () => {
  const view: RunsView = { ...DEFAULT_VIEW }
  it.each([
    ['all in range', {}, {}, true],
    ['not before the range', {}, { expected_start_time: '2026-11-20T10:00:00.000000Z' }, false],
    ['not after it', {}, { expected_start_time: '2026-11-23T12:00:01.000000Z' }, false],
    ['a state', { states: ['failed'] }, { state_type: 'FAILED' }, true],
    ['another state', { states: ['failed'] }, { state_type: 'RUNNING' }, false],
    ['late ones', { states: ['late'] }, { state_name: 'Late' }, true],
    ['late ones as scheduled', { states: ['scheduled'] }, { state_name: 'Late' }, true],
    ['part of a name in any case', { name: 'HERON' }, {}, true],
    ['another name', { name: 'otter' }, {}, false],
    ['a flow', { flow: 'etl' }, {}, true],
    ['another flow', { flow: 'crm' }, {}, false],
    ['a pool', { pool: 'k8s' }, { work_pool_name: 'k8s' }, true],
    ['no pool', { pool: 'k8s' }, {}, false],
    ['all tags', { tags: ['a', 'b'] }, { tags: ['b', 'a', 'c'] }, true],
    ['not some tags', { tags: ['a', 'b'] }, { tags: ['b'] }, false],
  ] as const)('takes %s', (_what, change, row, expected) => {
    const asked = { ...view, ...change } as RunsView
    const given = { ...row } as Parameters<typeof aRunRow>[0]
    expect(matchesView(aRunRow(given), asked, NOW)).toBe(expected)
  })
})

describe('compareRows', () => {
  it('orders by the column, then by the id', () => {
    const early = aRunRow({ id: 'a', name: 'z' })
    const late = aRunRow({ id: 'b', name: 'y', expected_start_time: '2026-11-23T11:00:00.000000Z' })
    const twin = aRunRow({ id: 'c', name: 'z' })
    const ids = (sort: RunsView['sort']) =>
      [early, late, twin].toSorted(compareRows(sort)).map((row) => row.id)
    expect(ids('EXPECTED_START_TIME_DESC')).toStrictEqual(['b', 'c', 'a'])
    expect(ids('EXPECTED_START_TIME_ASC')).toStrictEqual(['a', 'c', 'b'])
    expect(ids('NAME_ASC')).toStrictEqual(['b', 'a', 'c'])
  })
})

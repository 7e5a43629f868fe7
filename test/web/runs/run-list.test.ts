import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import { RunList } from '#lib/runs/run-list.ts'
import { aRunRow } from '../../support/a-run-row.ts'

const at = (minute: number) => `2026-11-23T10:${String(minute).padStart(2, '0')}:00.000000Z`

function aRow(minute: number, version = 1, overrides: Partial<FlowRunRow> = {}): FlowRunRow {
  return aRunRow({ id: `run-${minute}`, expected_start_time: at(minute), version, ...overrides })
}

function aList(matches: (row: FlowRunRow) => boolean = () => true): RunList {
  return new RunList({
    matches,
    compare: (a, b) =>
      a.id === b.id ? 0 : (a.expected_start_time ?? '') > (b.expected_start_time ?? '') ? -1 : 1,
  })
}

const page = (rows: FlowRunRow[], next: string | null = null, version = 10) => ({
  rows,
  next_cursor: next,
  version,
})
const minutes = (list: RunList) => list.rows.map((row) => Number(row.id.slice(4)))

describe('RunList', () => {
  it('changes a row in its place', () => {
    const list = aList()
    list.load(page([aRow(3), aRow(2), aRow(1)]))
    list.apply([aRow(2, 5, { state_type: 'RUNNING' })], 11, true)
    expect(minutes(list)).toStrictEqual([3, 2, 1])
    expect(list.rows[1]?.state_type).toBe('RUNNING')
  })

  it('drops what is older than what it has', () => {
    const list = aList()
    list.load(page([aRow(1, 5, { name: 'new' })]))
    list.apply([aRow(1, 4, { name: 'old' })], 11, false)
    expect(list.rows[0]?.name).toBe('new')
  })

  it('puts a new row where it belongs when nobody is at work', () => {
    const list = aList()
    list.load(page([aRow(3), aRow(1)]))
    list.apply([aRow(2)], 11, false)
    expect(minutes(list)).toStrictEqual([3, 2, 1])
    expect(list.waitingCount).toBe(0)
  })

  it('holds new rows back while the reader is at work, and shows them when asked', () => {
    const list = aList()
    list.load(page([aRow(3), aRow(1)]))
    list.apply([aRow(5), aRow(4)], 11, true)
    expect(minutes(list)).toStrictEqual([3, 1])
    expect(list.waitingCount).toBe(2)
    list.showWaiting()
    expect(minutes(list)).toStrictEqual([5, 4, 3, 1])
    expect(list.waitingCount).toBe(0)
  })

  it('keeps a row that no longer matches under the reader, and lets it go afterwards', () => {
    const list = aList((row) => row.state_type === 'RUNNING')
    list.load(page([aRow(2, 1, { state_type: 'RUNNING' }), aRow(1, 1, { state_type: 'RUNNING' })]))
    list.apply([aRow(2, 2, { state_type: 'COMPLETED' })], 11, true)
    expect(minutes(list)).toStrictEqual([2, 1])
    list.showWaiting()
    expect(minutes(list)).toStrictEqual([1])
  })

  it('lets it go at once when nobody is at work', () => {
    const list = aList((row) => row.state_type === 'RUNNING')
    list.load(page([aRow(1, 1, { state_type: 'RUNNING' })]))
    list.apply([aRow(1, 2, { state_type: 'FAILED' })], 11, false)
    expect(list.rows).toStrictEqual([])
  })

  it('never brings a deleted row back', () => {
    const list = aList()
    list.load(page([aRow(1), aRow(2)]))
    list.remove(['run-1'])
    list.apply([aRow(1, 99)], 12, false)
    list.load(page([aRow(1), aRow(2)]))
    expect(minutes(list)).toStrictEqual([2])
  })

  it('leaves rows of pages that are not loaded to those pages', () => {
    const list = aList()
    list.load(page([aRow(9), aRow(8)], 'next'))
    list.apply([aRow(5)], 11, false)
    expect(minutes(list)).toStrictEqual([9, 8])
    expect(list.waitingCount).toBe(0)
    list.append(page([aRow(7), aRow(6)]))
    list.showWaiting()
    expect(minutes(list)).toStrictEqual([9, 8, 7, 6, 5])
  })

  it('keeps what came after an older page was read', () => {
    const list = aList()
    list.load(page([aRow(1)], null, 10))
    list.apply([aRow(2)], 12, false)
    list.load(page([aRow(1)], null, 11))
    expect(minutes(list)).toStrictEqual([2, 1])
    list.load(page([aRow(1)], null, 13))
    expect(minutes(list)).toStrictEqual([1])
  })

  it('begins anew when so much has come that the first page no longer joins the rest', () => {
    const list = aList()
    list.load(page([aRow(2), aRow(1)], 'old'))
    list.load(page([aRow(9), aRow(8)], 'new', 20))
    expect(minutes(list)).toStrictEqual([9, 8])
    expect(list.nextCursor).toBe('new')
  })

  it('keeps later pages while the first still joins them', () => {
    const list = aList()
    list.load(page([aRow(4), aRow(3)], 'a'))
    list.append(page([aRow(2), aRow(1)], 'b'))
    list.load(page([aRow(5), aRow(4)], 'c', 20))
    expect(minutes(list)).toStrictEqual([5, 4, 3, 2, 1])
    expect(list.nextCursor).toBe('b')
  })
})

/** Every run has some versions; the last of them is what the server ends with. */
const history = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { maxLength: 12 }).chain((ids) =>
  fc.tuple(
    ...ids.map((minute) =>
      fc
        .array(fc.constantFrom('RUNNING' as const, 'COMPLETED' as const), {
          minLength: 1,
          maxLength: 5,
        })
        .map((types) => types.map((type, index) => aRow(minute, index + 1, { state_type: type }))),
    ),
  ),
)

describe('whatever way changes arrive', () => {
  it('ends with the newest of each, for any order, repetition, and hold', () => {
    const arrival = history.chain((runs) =>
      fc.tuple(
        fc.constant(runs),
        fc.shuffledSubarray([...runs.flat(), ...runs.flat()], {
          minLength: runs.flat().length * 2,
        }),
        fc.infiniteStream(fc.boolean()),
      ),
    )
    fc.assert(
      fc.property(arrival, ([runs, changes, holds]) => {
        const list = aList((row) => row.state_type === 'RUNNING')
        for (const [index, change] of changes.entries()) {
          list.apply([change], index, holds.next().value ?? false)
        }
        list.showWaiting()
        const expected = runs
          .map((versions) => versions.at(-1))
          .filter((row) => row?.state_type === 'RUNNING')
          .map((row) => row?.id)
        expect(new Set(list.rows.map((row) => row.id))).toStrictEqual(new Set(expected))
        expect(list.rows).toHaveLength(expected.length)
      }),
    )
  })

  it('is made whole by a page after a gap, whatever stale frames follow it', () => {
    const arrival = history.chain((runs) =>
      fc.tuple(fc.constant(runs), fc.subarray(runs.flat()), fc.shuffledSubarray(runs.flat())),
    )
    fc.assert(
      fc.property(arrival, ([runs, before, after]) => {
        const list = aList()
        for (const change of before) {
          list.apply([change], 1, false)
        }
        const now = runs
          .flatMap((versions) => versions.slice(-1))
          .toSorted((a, b) => (a.id < b.id ? 1 : -1))
        list.load(page(now, null, 100))
        for (const change of after) {
          list.apply([change], 101, true)
        }
        expect(new Map(list.rows.map((row) => [row.id, row.version]))).toStrictEqual(
          new Map(now.map((row) => [row.id, row.version])),
        )
      }),
    )
  })
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LogFilter } from '#core/wire/query.ts'
import {
  chunksOfRanks,
  compareLines,
  demands,
  lineMatcher,
  logId,
  parseTextQuery,
} from '#domain/log-query.ts'

describe('the grammar of text search', () => {
  test.each([
    ['error timeout', { any: ['error', 'timeout'], all: [], none: [] }],
    ['+Error -debug !trace', { any: [], all: ['error'], none: ['debug', 'trace'] }],
    ['"connection lost" -"a b"', { any: ['connection lost'], all: [], none: ['a b'] }],
    ['+"two words" x', { any: ['x'], all: ['two words'], none: [] }],
    ['"open phrase', { any: ['open phrase'], all: [], none: [] }],
    ['"say \\"hi\\""', { any: ['say "hi"'], all: [], none: [] }],
    ['- + ! ""', { any: [], all: [], none: [] }],
    ['well-known a+b', { any: ['well-known', 'a+b'], all: [], none: [] }],
    ['   ', { any: [], all: [], none: [] }],
  ])('%s', (query, parsed) => {
    expect(parseTextQuery(query)).toEqual(parsed)
  })
})

const line = {
  flow_run_id: 'run',
  level: 30,
  timestamp: '2026-01-01T00:00:10.000000Z',
  task_run_id: null,
  name: 'prefect.task',
  message: 'Connection LOST to host',
}

describe('a filter and a line', () => {
  test.each<[string, LogFilter, boolean]>([
    ['nothing asked', {}, true],
    ['level reached', { level: { ge_: 30, le_: 30 } }, true],
    ['level too low', { level: { ge_: 31 } }, false],
    [
      'bounds of time are inclusive',
      { timestamp: { after_: line.timestamp, before_: line.timestamp } },
      true,
    ],
    ['too early', { timestamp: { after_: '2026-01-01T00:00:10.000001Z' } }, false],
    ['no task run', { task_run_id: { is_null_: true } }, true],
    ['a task run', { task_run_id: { is_null_: false } }, false],
    ['none of no task runs', { task_run_id: { any_: [] } }, false],
    ['another run', { flow_run_id: { any_: ['other'] } }, false],
    ['text in any case', { text: { query: 'lost' } }, true],
    ['text in the logger’s name', { text: { query: '+prefect.task' } }, true],
    ['excluded text', { text: { query: 'connection -host' } }, false],
    [
      'either, and one holds',
      { operator: 'or_', level: { ge_: 50 }, text: { query: 'lost' } },
      true,
    ],
    [
      'either, and none holds',
      { operator: 'or_', level: { ge_: 50 }, text: { query: 'x' } },
      false,
    ],
  ])('%s', (_name, filter, passes) => {
    expect(lineMatcher(filter)(line)).toBe(passes)
  })

  test('under `or_` nothing is demanded of all lines', () => {
    const filter: LogFilter = { operator: 'or_', level: { ge_: 50 }, flow_run_id: { any_: ['a'] } }
    expect(demands(filter)).toMatchObject({
      flowRunIds: undefined,
      leastLevel: -Infinity,
      exact: false,
    })
  })
})

test('the chunks of a page hold exactly the lines of that page, however they overlap', () => {
  const chunk = fc.record({
    flow_run_id: fc.constantFrom('a', 'b'),
    times: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 5 }),
  })
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 12 }),
      fc.nat(40),
      fc.nat(10),
      (drafts, from, size) => {
        const next: Record<string, number> = {}
        const chunks = drafts.map(({ flow_run_id, times }) => {
          const position = next[flow_run_id] ?? 0
          next[flow_run_id] = position + times.length
          const stamps = times.map((time) => String(time).padStart(2, '0'))
          const sorted = stamps.toSorted()
          return {
            flow_run_id,
            position,
            count: times.length,
            first: sorted[0] ?? '',
            last: sorted.at(-1) ?? '',
            lines: stamps.map((stamp, index) => [stamp, flow_run_id, position + index] as const),
          }
        })
        const sort = (some: typeof chunks) =>
          some.flatMap(({ lines }) => lines).toSorted(compareLines)
        const page = chunksOfRanks(chunks, from, from + size)
        expect(sort(page.chunks).slice(page.skip, page.skip + size)).toEqual(
          sort(chunks).slice(from, from + size),
        )
      },
    ),
    { numRuns: 500 },
  )
})

test('ids of lines are UUIDs, stable and distinct', () => {
  const runs = ['', '0195d6a2-7f3c-7abc-9def-0123456789ab', '0195d6a2-7f3c-7abc-9def-0123456789ac']
  const ids = runs.flatMap((run) => Array.from({ length: 20_000 }, (_, index) => logId(run, index)))
  expect(new Set(ids).size).toBe(ids.length)
  expect(
    ids.every((id) =>
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id),
    ),
  ).toBe(true)
  expect(logId(runs[1] ?? '', 7)).toBe(logId(runs[1] ?? '', 7))
})

import { describe, expect, test } from 'vitest'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { TaskRun } from '#core/wire/task-run.ts'
import { FeedLog, isTopic, toFrames, type Change } from '#domain/feed-log.ts'

const RUN = '11111111-1111-4111-8111-111111111111'
const OTHER = '22222222-2222-4222-8222-222222222222'
const row = (id: string, version: number) => ({ id, version }) as FlowRunRow
const changed = (id: string, version = 1): Change => ({
  kind: 'flow_run',
  id,
  row: row(id, version),
})
const task = (id: string, of: string): Change => ({
  kind: 'task_run',
  id,
  flow_run_id: of,
  row: { id } as TaskRun,
})

describe('the log', () => {
  test('tells what has changed after a version, and when it no longer can', () => {
    const log = new FeedLog(10)
    expect(log.since(10)).toEqual([])
    log.add([changed(RUN)], 0)
    log.add([changed(OTHER)], 1)
    expect(log.version).toBe(12)
    expect(log.since(11)?.map(({ change }) => change.id)).toEqual([OTHER])
    expect(log.since(10)).toHaveLength(2)
    expect(log.since(9)).toBeUndefined()
    expect(log.since(13)).toBeUndefined()
  })

  test('nothing changed is no version', () => {
    const log = new FeedLog(0)
    expect(log.add([], 0)).toEqual([])
    expect(log.version).toBe(0)
  })

  test('forgets what is old, and what is too much', () => {
    const old = new FeedLog(0)
    old.add([changed(RUN)], 0)
    old.add([changed(OTHER)], 400_000)
    expect(old.since(0)).toBeUndefined()
    expect(old.since(1)).toHaveLength(1)
    const full = new FeedLog(0)
    for (let index = 0; index < 6; index += 1) {
      full.add(
        Array.from({ length: 1000 }, () => changed(RUN)),
        0,
      )
    }
    expect(full.since(0)).toBeUndefined()
    expect(full.since(1)).toHaveLength(5000)
  })
})

describe('frames', () => {
  const all = new FeedLog(0)
  all.add([changed(RUN, 1)], 0)
  all.add([changed(RUN, 2), changed(OTHER), { kind: 'logs', id: RUN }, task('t', RUN)], 0)
  all.add([{ kind: 'flow_run_deleted', id: OTHER }], 0)
  const changes = all.since(0) ?? []

  test('of several changes of one run only the last is told', () => {
    expect(toFrames(changes, ['flow_runs'])).toEqual([
      { type: 'flow_runs', version: 0, rows: [row(RUN, 2)] },
      { type: 'flow_runs_deleted', version: 3, ids: [OTHER] },
    ])
  })

  test('a run’s topic has its row, its task runs and its logs', () => {
    expect(toFrames(changes, [`flow_run:${RUN}`])).toEqual([
      { type: 'flow_runs', version: 0, rows: [row(RUN, 2)] },
      { type: 'task_runs', version: 0, flow_run_id: RUN, task_runs: [{ id: 't' }] },
      { type: 'logs', version: 3, flow_run_id: RUN },
    ])
  })

  test('nothing for nobody', () => {
    expect(toFrames(changes, [])).toEqual([])
    expect(toFrames([], ['flow_runs'])).toEqual([])
  })

  test('many rows are many frames, of which only the last has the new version', () => {
    const log = new FeedLog(0)
    const rows = Array.from({ length: 450 }, (_, index) => changed(String(index)))
    const frames = toFrames(log.add(rows, 0), ['flow_runs'])
    expect(frames.map(({ version }) => version)).toEqual([0, 0, 1])
  })
})

test.each([
  ['flow_runs', true],
  [`flow_run:${RUN}`, true],
  ['flow_run:', false],
  ['everything', false],
])('topic %s', (topic, known) => {
  expect(isTopic(topic)).toBe(known)
})

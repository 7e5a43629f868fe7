import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FlowRunFilter } from '#core/wire/query.ts'
import { flowRunCondition } from '#domain/filter.ts'
import { newFlowRunRecord, type FlowRunRecord } from '#domain/flow-run.ts'
import { meetsFilter } from '#domain/flow-run-predicate.ts'

const database = new DatabaseSync(':memory:')
database.exec(`
  CREATE TABLE flow_run (
    workspace_id, deleted, id, name, tags, deployment_id, work_queue_id, state_type, state_name, flow_version, start_time,
    end_time, expected_start_time, next_scheduled_start_time, parent_task_run_id, idempotency_key, created_by);
  CREATE TABLE work_queue (workspace_id, id, name);
  INSERT INTO work_queue VALUES ('w', 'q1', 'a'), ('w', 'q2', 'b')`)

/** As the store would answer of this one run. */
function found(run: FlowRunRecord, filter: FlowRunFilter): boolean {
  const row = {
    workspace_id: 'w',
    deleted: 0,
    id: run.id,
    name: run.name,
    tags: JSON.stringify(run.tags),
    deployment_id: run.deployment_id,
    work_queue_id: run.work_queue_id,
    state_type: run.state_type,
    state_name: run.state_name,
    flow_version: run.flow_version,
    start_time: run.start_time,
    end_time: run.end_time,
    expected_start_time: run.expected_start_time,
    next_scheduled_start_time: run.next_scheduled_start_time,
    parent_task_run_id: run.parent_task_run_id,
    idempotency_key: run.idempotency_key,
    created_by: run.created_by === null ? null : JSON.stringify(run.created_by),
  }
  database.exec('DELETE FROM flow_run')
  const columns = Object.keys(row)
  database
    .prepare(
      `INSERT INTO flow_run (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    )
    .run(...Object.values(row))
  const { sql, params } = flowRunCondition('w', { flow_runs: filter })
  return database.prepare(`SELECT 1 FROM flow_run WHERE ${sql}`).all(...params).length > 0
}

const text = fc.constantFrom('a', 'b', 'ab')
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value)
const list = fc.option(fc.array(text, { maxLength: 2 }))
const flag = fc.option(fc.boolean())
const operator = fc.constantFrom('and_', 'or_')
const values = maybe(fc.record({ any_: list, not_any_: list }))
const range = { before_: maybe(text), after_: maybe(text) }
const times = maybe(fc.record({ ...range, is_null_: flag }))
const reference = maybe(fc.record({ operator, any_: list, is_null_: flag }))

const filters = fc.record(
  {
    operator,
    id: values,
    name: maybe(fc.record({ any_: list, like_: maybe(fc.constantFrom('a', 'A', 'c')) })),
    tags: maybe(fc.record({ operator, all_: list, any_: list, is_null_: flag })),
    deployment_id: reference,
    work_queue_name: reference,
    state: maybe(fc.record({ operator, type: values, name: values })),
    flow_version: maybe(fc.record({ any_: list })),
    start_time: times,
    end_time: times,
    expected_start_time: maybe(fc.record(range)),
    next_scheduled_start_time: maybe(fc.record(range)),
    parent_task_run_id: reference,
    idempotency_key: values,
    created_by: maybe(fc.record({ operator, id_: list, type_: list, is_null_: flag })),
  },
  { requiredKeys: [] },
) as unknown as fc.Arbitrary<FlowRunFilter>

const runs = fc.record({
  id: text,
  name: text,
  tags: fc.array(text, { maxLength: 2 }),
  deployment_id: maybe(text),
  work_queue_id: maybe(fc.constantFrom('q1', 'q2')),
  state_type: maybe(text),
  state_name: maybe(text),
  flow_version: maybe(text),
  start_time: maybe(text),
  end_time: maybe(text),
  expected_start_time: maybe(text),
  next_scheduled_start_time: maybe(text),
  parent_task_run_id: maybe(text),
  idempotency_key: maybe(text),
  created_by: maybe(fc.record({ id: maybe(text), type: maybe(text), display_value: maybe(text) })),
})

test('a home judges its run as the store would', () => {
  fc.assert(
    fc.property(runs, filters, (fields, filter) => {
      const run = { ...newFlowRunRecord('', 0), ...fields } as FlowRunRecord
      const queue = { q1: 'a', q2: 'b' }[run.work_queue_id ?? ''] ?? null
      expect(meetsFilter(run, { work_queue_name: queue }, filter)).toBe(found(run, filter))
    }),
    { numRuns: 2000 },
  )
})

test('whose subflow a run is was judged where it was found', () => {
  const run = newFlowRunRecord('a', 0)
  const names = { work_queue_name: null }
  const parent_flow_run_id = { any_: ['b'] }
  expect(meetsFilter(run, names, { parent_flow_run_id })).toBe(true)
  expect(meetsFilter(run, names, { parent_flow_run_id, id: { any_: ['b'] } })).toBe(false)
  expect(meetsFilter(run, names, undefined)).toBe(true)
})

import { beforeAll, describe, expect, test } from 'vitest'
import type { Condition } from '#domain/condition.ts'
import { flowRunCondition, taskRunCondition, type Filters } from '#domain/filter.ts'
import { listFlowRuns } from '#storage/flow-runs.ts'
import { listFlows } from '#storage/flows.ts'
import type { Workspace } from '#storage/workspace.ts'
import {
  aDeployment,
  aFlow,
  aFlowRun,
  aTaskRun,
  aWorkPool,
  aWorkQueue,
} from '../support/builders.ts'
import { aWorkspace, bindings } from '../support/workspace.ts'

const time = (hour: number) => `2026-03-01T${String(hour).padStart(2, '0')}:00:00.000000Z`
const NOW = Date.UTC(2026, 2, 2) * 1000
const NOWHERE = '00000000-0000-4000-8000-000000000000'

let workspace: Workspace
/** The ids of what was made, by a short name. */
const ids: Record<string, string> = {}

/**
 * Three runs of `etl` (two of them of its deployment, in queue `fast` of pool `k8s`), one of `Report_50%`, one deleted, and one
 * in another workspace that would meet every filter.
 */
beforeAll(async () => {
  const mine = await aWorkspace()
  workspace = mine.workspace
  const etl = await aFlow(workspace, { name: 'etl', tags: ['a', 'b'] })
  const report = await aFlow(workspace, { name: 'Report_50%', tags: ['b'] })
  await aFlow(workspace, { name: 'idle' })
  const pool = await aWorkPool(workspace, { name: 'k8s', type: 'kubernetes' })
  const fast = await aWorkQueue(workspace, { name: 'fast', work_pool_id: pool.id })
  const nightly = await aDeployment(workspace, {
    name: 'nightly',
    flow_id: etl.id,
    work_queue_id: fast.id,
    tags: ['prod'],
    concurrency_limit: 3,
  })
  const placed = {
    flow_id: etl.id,
    deployment_id: nightly.id,
    work_pool_id: pool.id,
    work_queue_id: fast.id,
  }
  const done = await aFlowRun(workspace, {
    ...placed,
    name: 'done',
    tags: ['x', 'y'],
    state_type: 'COMPLETED',
    state_name: 'Completed',
    expected_start_time: time(1),
    start_time: time(2),
    end_time: time(3),
    idempotency_key: 'key-1',
    flow_version: 'v1',
  })
  const child = await aTaskRun(workspace, { flow_run_id: done.id, name: 'call child' })
  ids['task'] = child.id
  await aFlowRun(workspace, {
    ...placed,
    name: 'late',
    tags: ['y'],
    state_type: 'SCHEDULED',
    state_name: 'Late',
    expected_start_time: time(4),
    next_scheduled_start_time: time(4),
    created_by: { id: NOWHERE, type: 'USER', display_value: 'me' },
  })
  await aFlowRun(workspace, {
    flow_id: etl.id,
    name: 'sub',
    parent_task_run_id: child.id,
    state_type: 'RUNNING',
    state_name: 'Running',
    expected_start_time: time(5),
    start_time: time(5),
    idempotency_key: 'key-2',
  })
  await aFlowRun(workspace, {
    flow_id: report.id,
    name: 'REPORT 1',
    tags: ['x'],
    state_type: 'FAILED',
    state_name: 'Failed',
    expected_start_time: time(6),
    start_time: time(6),
    end_time: time(7),
  })
  await aFlowRun(workspace, { ...placed, name: 'gone', deleted: true, tags: ['x'] })
  const other = await aWorkspace()
  await aFlowRun(other.workspace, {
    ...placed,
    name: 'foreign',
    tags: ['x', 'y'],
    state_type: 'COMPLETED',
    state_name: 'Completed',
  })
  Object.assign(ids, { etl: etl.id, nightly: nightly.id, done: done.id, pool: pool.id })
})

describe('flow runs', () => {
  const all = ['REPORT 1', 'done', 'late', 'sub']
  test.for<[name: string, filters: () => Filters, names: string[]]>([
    ['nothing', () => ({}), all],
    ['null', () => ({ flow_runs: null, flows: null }), all],
    ['an empty filter', () => ({ flow_runs: {} }), all],
    ['an id', () => ({ flow_runs: { id: { any_: [ids['done'] ?? ''] } } }), ['done']],
    ['no ids', () => ({ flow_runs: { id: { any_: [] } } }), []],
    [
      'not an id',
      () => ({ flow_runs: { id: { not_any_: [ids['done'] ?? ''] } } }),
      all.filter((name) => name !== 'done'),
    ],
    ['not none', () => ({ flow_runs: { id: { not_any_: [] } } }), all],
    ['a name in any case', () => ({ flow_runs: { name: { like_: 'report' } } }), ['REPORT 1']],
    ['a wildcard as text', () => ({ flow_runs: { name: { like_: '%' } } }), []],
    ['all tags', () => ({ flow_runs: { tags: { all_: ['x', 'y'] } } }), ['done']],
    ['any tag', () => ({ flow_runs: { tags: { any_: ['x', 'z'] } } }), ['REPORT 1', 'done']],
    ['no tags', () => ({ flow_runs: { tags: { is_null_: true } } }), ['sub']],
    [
      'some tags',
      () => ({ flow_runs: { tags: { is_null_: false } } }),
      ['REPORT 1', 'done', 'late'],
    ],
    [
      'tags or none',
      () => ({ flow_runs: { tags: { operator: 'or_', all_: ['x', 'y'], is_null_: true } } }),
      ['done', 'sub'],
    ],
    [
      'a deployment',
      () => ({ flow_runs: { deployment_id: { any_: [ids['nightly'] ?? ''] } } }),
      ['done', 'late'],
    ],
    [
      'no deployment',
      () => ({ flow_runs: { deployment_id: { is_null_: true } } }),
      ['REPORT 1', 'sub'],
    ],
    ['a queue', () => ({ flow_runs: { work_queue_name: { any_: ['fast'] } } }), ['done', 'late']],
    [
      'no queue',
      () => ({ flow_runs: { work_queue_name: { is_null_: true } } }),
      ['REPORT 1', 'sub'],
    ],
    [
      'a state type',
      () => ({ flow_runs: { state: { type: { any_: ['FAILED', 'RUNNING'] } } } }),
      ['REPORT 1', 'sub'],
    ],
    [
      'a type or a name',
      () => ({
        flow_runs: {
          state: { operator: 'or_', type: { any_: ['FAILED'] }, name: { any_: ['Late'] } },
        },
      }),
      ['REPORT 1', 'late'],
    ],
    [
      'a type and a name',
      () => ({ flow_runs: { state: { type: { any_: ['FAILED'] }, name: { any_: ['Late'] } } } }),
      [],
    ],
    [
      'not a type',
      () => ({ flow_runs: { state: { type: { not_any_: ['FAILED'] } } } }),
      ['done', 'late', 'sub'],
    ],
    ['a version', () => ({ flow_runs: { flow_version: { any_: ['v1'] } } }), ['done']],
    [
      'a start, or an expected one',
      () => ({ flow_runs: { start_time: { after_: time(4), before_: time(5) } } }),
      ['late', 'sub'],
    ],
    ['not started', () => ({ flow_runs: { start_time: { is_null_: true } } }), ['late']],
    ['an end, inclusive', () => ({ flow_runs: { end_time: { before_: time(3) } } }), ['done']],
    [
      'an expected start',
      () => ({ flow_runs: { expected_start_time: { before_: time(1) } } }),
      ['done'],
    ],
    [
      'a next start',
      () => ({ flow_runs: { next_scheduled_start_time: { after_: time(0) } } }),
      ['late'],
    ],
    [
      'a parent',
      () => ({ flow_runs: { parent_flow_run_id: { any_: [ids['done'] ?? ''] } } }),
      ['sub'],
    ],
    [
      'a parent task',
      () => ({ flow_runs: { parent_task_run_id: { any_: [ids['task'] ?? ''] } } }),
      ['sub'],
    ],
    ['a key', () => ({ flow_runs: { idempotency_key: { any_: ['key-1'] } } }), ['done']],
    ['not a key', () => ({ flow_runs: { idempotency_key: { not_any_: ['key-1'] } } }), ['sub']],
    ['a creator', () => ({ flow_runs: { created_by: { type_: ['USER'] } } }), ['late']],
    ['a creator by id', () => ({ flow_runs: { created_by: { id_: [NOWHERE] } } }), ['late']],
    [
      'no creator',
      () => ({ flow_runs: { created_by: { is_null_: true } } }),
      ['REPORT 1', 'done', 'sub'],
    ],
    [
      'either of two',
      () => ({
        flow_runs: { operator: 'or_', name: { any_: ['sub'] }, end_time: { is_null_: true } },
      }),
      ['late', 'sub'],
    ],
    ['a flow', () => ({ flows: { name: { any_: ['etl'] } } }), ['done', 'late', 'sub']],
    ['an escaped wildcard in a flow', () => ({ flows: { name: { like_: '_50%' } } }), ['REPORT 1']],
    ['a flow’s tags', () => ({ flows: { tags: { all_: ['a'] } } }), ['done', 'late', 'sub']],
    ['any deployment', () => ({ deployments: {} }), ['done', 'late']],
    [
      'a deployment’s tags',
      () => ({ deployments: { tags: { any_: ['prod'] } } }),
      ['done', 'late'],
    ],
    [
      'a deployment or its flow by name',
      () => ({ deployments: { flow_or_deployment_name: { like_: 'ET' } } }),
      ['done', 'late'],
    ],
    ['a deployment’s limit', () => ({ deployments: { concurrency_limit: { ge_: 4 } } }), []],
    ['a pool', () => ({ work_pools: { type: { any_: ['kubernetes'] } } }), ['done', 'late']],
    [
      'a queue of the pool',
      () => ({ work_pool_queues: { name: { startswith_: ['FA'] } } }),
      ['done', 'late'],
    ],
    ['a task run', () => ({ task_runs: { name: { like_: 'child' } } }), ['done']],
    [
      'a task run with a subflow',
      () => ({ task_runs: { subflow_runs: { exists_: true } } }),
      ['done'],
    ],
    ['a task run without one', () => ({ task_runs: { subflow_runs: { exists_: false } } }), []],
    [
      'several',
      () => ({
        flows: { name: { any_: ['etl'] } },
        flow_runs: { tags: { any_: ['y'] } },
        work_pools: { name: { any_: ['k8s'] } },
      }),
      ['done', 'late'],
    ],
  ])('by %s', async ([, filters, names]) => {
    const runs = await listFlowRuns(
      workspace,
      filters(),
      'NAME_ASC',
      { limit: 200, offset: 0 },
      NOW,
    )
    expect(runs.map((run) => run.name)).toEqual(names)
  })
})

describe('flows', () => {
  test.for<[name: string, filters: Filters, names: string[]]>([
    ['nothing', {}, ['Report_50%', 'etl', 'idle']],
    ['deployed', { flows: { deployment: { is_null_: false } } }, ['etl']],
    ['not deployed', { flows: { deployment: { is_null_: true } } }, ['Report_50%', 'idle']],
    ['runs', { flow_runs: {} }, ['Report_50%', 'etl']],
    ['failed runs', { flow_runs: { state: { type: { any_: ['FAILED'] } } } }, ['Report_50%']],
    ['tasks of its runs', { task_runs: { name: { any_: ['call child'] } } }, ['etl']],
    // Its deployment is in the pool, but is not the one that is asked for.
    [
      'one deployment',
      { deployments: { name: { any_: ['x'] } }, work_pools: { name: { any_: ['k8s'] } } },
      [],
    ],
    ['a pool', { work_pools: { name: { any_: ['k8s'] } } }, ['etl']],
  ])('by %s', async ([, filters, names]) => {
    const flows = await listFlows(workspace, filters, 'NAME_ASC', { limit: 200, offset: 0 })
    expect(flows.map((flow) => flow.name)).toEqual(names)
  })
})

describe('the store reads only what is asked for', () => {
  const ONE = { any_: [NOWHERE] }
  test.for<[table: string, name: string, condition: Condition]>([
    ['flow_run', 'deployment', flowRunCondition('w', { flow_runs: { deployment_id: ONE } })],
    ['flow_run', 'parent', flowRunCondition('w', { flow_runs: { parent_task_run_id: ONE } })],
    ['flow_run', 'caller', flowRunCondition('w', { flow_runs: { parent_flow_run_id: ONE } })],
    ['flow_run', 'id', flowRunCondition('w', { flow_runs: { id: ONE } })],
    ['task_run', 'flow run', taskRunCondition('w', { task_runs: { flow_run_id: ONE } })],
  ])('%s by %s', async ([table, , { sql, params }]) => {
    const { results } = await bindings.DB.prepare(
      `EXPLAIN QUERY PLAN SELECT * FROM ${table} WHERE ${sql} ORDER BY id DESC LIMIT 200`,
    )
      .bind(...params)
      .all<{ detail: string }>()
    for (const { detail } of results) {
      // A search by the workspace alone reads all of it.
      expect(detail).not.toMatch(/\(workspace_id=\?\)/)
    }
    expect(results.length).toBeGreaterThan(1)
  })
})

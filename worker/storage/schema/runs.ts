import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { CreatedBy, JsonObject } from '#core/wire/common.ts'
import type { FlowRunPolicy } from '#core/wire/flow-run.ts'
import type { State, StateType } from '#core/wire/state.ts'
import type { TaskRun, TaskRunPolicy } from '#core/wire/task-run.ts'

// A workspace's store: copies of runs for lists, filters and counts. Their owners (a home, an event stream) are the only
// writers; a row is taken only when its `seq` is newer, so that a flush may be repeated.

const json = <T>() => text({ mode: 'json' }).$type<T>()
type Labels = Record<string, string | number | boolean>

/** Written by durable/flush for the run's home; read by storage/flow-runs. WITHOUT ROWID (see migrations/0000). */
export const flowRun = sqliteTable(
  'flow_run',
  {
    workspace_id: text().notNull(),
    id: text().notNull(),
    /** The part of the id that the run's states share: leads from a state to its run. */
    tail: text().notNull(),
    /** Rises with every change of the run. */
    seq: integer().notNull(),
    /** A tombstone: gone for every reader, kept for some days so that no late flush brings the run back. */
    deleted: integer({ mode: 'boolean' }).notNull(),
    created: text().notNull(),
    updated: text().notNull(),
    name: text().notNull(),
    flow_id: text().notNull(),
    deployment_id: text(),
    deployment_version: text(),
    work_pool_id: text(),
    work_queue_id: text(),
    flow_version: text(),
    parameters: json<JsonObject>().notNull(),
    idempotency_key: text(),
    context: json<JsonObject>().notNull(),
    empirical_policy: json<FlowRunPolicy>().notNull(),
    tags: json<string[]>().notNull(),
    labels: json<Labels>().notNull(),
    parent_task_run_id: text(),
    state_id: text(),
    state_type: text().$type<StateType>(),
    state_name: text(),
    /** All states of the run, oldest first; one row instead of one per state, since rows written are the bill. */
    states: json<State[]>().notNull(),
    run_count: integer().notNull(),
    expected_start_time: text(),
    next_scheduled_start_time: text(),
    start_time: text(),
    end_time: text(),
    total_run_time: real().notNull(),
    auto_scheduled: integer({ mode: 'boolean' }).notNull(),
    infrastructure_pid: text(),
    created_by: json<CreatedBy>(),
    job_variables: json<JsonObject>(),
    concurrency_key: text(),
    start_before: text(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    index('flow_run_by_tail').on(table.workspace_id, table.tail),
    index('flow_run_by_expected_start').on(table.workspace_id, table.expected_start_time),
    index('flow_run_by_deployment')
      .on(table.workspace_id, table.deployment_id)
      .where(sql`deployment_id IS NOT NULL`),
    index('flow_run_by_parent')
      .on(table.workspace_id, table.parent_task_run_id)
      .where(sql`parent_task_run_id IS NOT NULL`),
  ],
)

/** The run that an idempotency key stands for. Written by operations/create-flow-run before the run is; read there. */
export const idempotencyKey = sqliteTable(
  'idempotency_key',
  {
    workspace_id: text().notNull(),
    flow_id: text().notNull(),
    key: text().notNull(),
    flow_run_id: text().notNull(),
    created: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.flow_id, table.key] })],
)

/** Written by durable/event-stream; read by storage/task-runs. WITHOUT ROWID (see migrations/0000). */
export const taskRun = sqliteTable(
  'task_run',
  {
    workspace_id: text().notNull(),
    id: text().notNull(),
    seq: integer().notNull(),
    deleted: integer({ mode: 'boolean' }).notNull(),
    created: text().notNull(),
    updated: text().notNull(),
    name: text().notNull(),
    flow_run_id: text(),
    task_key: text().notNull(),
    dynamic_key: text().notNull(),
    cache_key: text(),
    cache_expiration: text(),
    task_version: text(),
    empirical_policy: json<TaskRunPolicy>().notNull(),
    tags: json<string[]>().notNull(),
    labels: json<Labels>().notNull(),
    task_inputs: json<TaskRun['task_inputs']>().notNull(),
    state_id: text(),
    state_type: text().$type<StateType>(),
    state_name: text(),
    /** All states of the task run, oldest first. */
    states: json<State[]>().notNull(),
    run_count: integer().notNull(),
    flow_run_run_count: integer().notNull(),
    expected_start_time: text(),
    next_scheduled_start_time: text(),
    start_time: text(),
    end_time: text(),
    total_run_time: real().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    // Its first half finds a flow run's task runs, the whole of it the one with a natural key.
    index('task_run_by_natural_key').on(
      table.workspace_id,
      table.flow_run_id,
      table.task_key,
      table.dynamic_key,
    ),
  ],
)

import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import type { CreatedBy, JsonObject } from '#core/wire/common.ts'
import type { ConcurrencyKey, ConcurrencyOptions, Deployment } from '#core/wire/deployment.ts'
import type { MissedRuns, Schedule } from '#core/wire/schedule.ts'
import type { WorkPool } from '#core/wire/work-pool.ts'

// A workspace's store: what its people configure. `version` rises with each change, in the same batch; homes take only newer ones.

const stored = {
  id: text().primaryKey(),
  workspace_id: text().notNull(),
  created: text().notNull(),
  updated: text().notNull(),
}
const json = <T>() => text({ mode: 'json' }).$type<T>()
type Labels = Record<string, string | number | boolean>

/** Written and read by storage/flows. */
export const flow = sqliteTable(
  'flow',
  {
    ...stored,
    name: text().notNull(),
    tags: json<string[]>().notNull(),
    labels: json<Labels>().notNull(),
  },
  (table) => [uniqueIndex('flow_by_name').on(table.workspace_id, table.name)],
)

/** Written by storage/deployments; read there and copied to its home by operations/configure-home. */
export const deployment = sqliteTable(
  'deployment',
  {
    ...stored,
    version_number: integer().notNull(),
    /** The home that owns its schedules and its limit. */
    home_key: text().notNull(),
    flow_id: text()
      .notNull()
      .references(() => flow.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    version: text(),
    description: text(),
    paused: integer({ mode: 'boolean' }).notNull(),
    concurrency_limit: integer(),
    concurrency_options: json<ConcurrencyOptions>(),
    concurrency_key: json<ConcurrencyKey>(),
    max_waiting_runs: integer(),
    start_within_seconds: integer(),
    signature: json<Deployment['signature']>(),
    job_variables: json<JsonObject>().notNull(),
    parameters: json<JsonObject>().notNull(),
    parameter_openapi_schema: json<JsonObject>(),
    enforce_parameter_schema: integer({ mode: 'boolean' }).notNull(),
    tags: json<string[]>().notNull(),
    labels: json<Labels>().notNull(),
    work_queue_id: text().references(() => workQueue.id, { onDelete: 'set null' }),
    path: text(),
    pull_steps: json<JsonObject[]>(),
    entrypoint: text(),
    last_polled: text(),
    created_by: json<CreatedBy>(),
    updated_by: json<CreatedBy>(),
    storage_document_id: text(),
    infrastructure_document_id: text(),
  },
  (table) => [
    uniqueIndex('deployment_by_name').on(table.workspace_id, table.flow_id, table.name),
    index('deployment_by_queue').on(table.work_queue_id),
  ],
)

/** Written by storage/schedules; read there and copied to the deployment's home. */
export const deploymentSchedule = sqliteTable(
  'deployment_schedule',
  {
    ...stored,
    deployment_id: text()
      .notNull()
      .references(() => deployment.id, { onDelete: 'cascade' }),
    schedule: json<Schedule>().notNull(),
    active: integer({ mode: 'boolean' }).notNull(),
    max_scheduled_runs: integer(),
    parameters: json<JsonObject>().notNull(),
    slug: text(),
    missed_runs: json<MissedRuns>(),
  },
  (table) => [index('schedule_by_deployment').on(table.deployment_id)],
)

/** Written by storage/work-pools; read there and copied to its home by operations/configure-home. */
export const workPool = sqliteTable(
  'work_pool',
  {
    ...stored,
    version_number: integer().notNull(),
    home_key: text().notNull(),
    name: text().notNull(),
    description: text(),
    type: text().notNull(),
    base_job_template: json<JsonObject>().notNull(),
    is_paused: integer({ mode: 'boolean' }).notNull(),
    concurrency_limit: integer(),
    default_queue_id: text().notNull(),
    storage_configuration: json<WorkPool['storage_configuration']>().notNull(),
  },
  (table) => [uniqueIndex('work_pool_by_name').on(table.workspace_id, table.name)],
)

/** Written by storage/work-queues; read there and copied to its pool's home with the pool. */
export const workQueue = sqliteTable(
  'work_queue',
  {
    ...stored,
    work_pool_id: text()
      .notNull()
      .references(() => workPool.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    description: text(),
    is_paused: integer({ mode: 'boolean' }).notNull(),
    concurrency_limit: integer(),
    priority: integer().notNull(),
    last_polled: text(),
  },
  (table) => [uniqueIndex('work_queue_by_name').on(table.work_pool_id, table.name)],
)

/**
 * Written by the heartbeats of Prefect's workers and of agents that poll, now and then, and by durable/home-readiness when a
 * doorbell opens and closes; read by storage/workers.
 */
export const worker = sqliteTable(
  'worker',
  {
    ...stored,
    work_pool_id: text()
      .notNull()
      .references(() => workPool.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    last_heartbeat_time: text().notNull(),
    heartbeat_interval_seconds: integer(),
    /** Since when its doorbell is open: until that closes it is online, and writes nothing. */
    doorbell_since: text(),
    /** The ids of the queues that it waits for there; null: all of its pool. */
    doorbell_queues: json<string[]>(),
  },
  (table) => [uniqueIndex('worker_by_name').on(table.work_pool_id, table.name)],
)

import * as z from 'zod'
import { timestamp, uuid } from './common.ts'
import { flowRunRow } from './flow-run.ts'
import { stateType } from './state.ts'

/**
 * Filters, sorts and pages. A filter is strict at every depth: a key that is not known is refused, since a cancel or
 * delete by a filter that was silently ignored would hit everything. `any_: []` matches nothing; `not_any_: []` excludes nothing.
 */
const operator = z.enum(['and_', 'or_']).optional()
const list = <T extends z.ZodType>(item: T) => z.array(item).nullish()
const text = z.string()
const flag = z.boolean().nullish()
const range = { before_: timestamp.nullish(), after_: timestamp.nullish() }

export const flowFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid), not_any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text), like_: text.nullish() }).nullish(),
    tags: z.strictObject({ operator, all_: list(text), is_null_: flag }).nullish(),
    deployment: z.strictObject({ operator, is_null_: flag }).nullish(),
  })
  .meta({ id: 'FlowFilter' })

export const flowRunFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid), not_any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text), like_: text.nullish() }).nullish(),
    tags: z
      .strictObject({ operator, all_: list(text), any_: list(text), is_null_: flag })
      .nullish(),
    deployment_id: z.strictObject({ operator, any_: list(uuid), is_null_: flag }).nullish(),
    work_queue_name: z.strictObject({ operator, any_: list(text), is_null_: flag }).nullish(),
    state: z
      .strictObject({
        operator,
        type: z.strictObject({ any_: list(stateType), not_any_: list(stateType) }).nullish(),
        name: z.strictObject({ any_: list(text), not_any_: list(text) }).nullish(),
      })
      .nullish(),
    flow_version: z.strictObject({ any_: list(text) }).nullish(),
    start_time: z.strictObject({ ...range, is_null_: flag }).nullish(),
    end_time: z.strictObject({ ...range, is_null_: flag }).nullish(),
    expected_start_time: z.strictObject(range).nullish(),
    next_scheduled_start_time: z.strictObject(range).nullish(),
    parent_flow_run_id: z.strictObject({ operator, any_: list(uuid) }).nullish(),
    parent_task_run_id: z.strictObject({ operator, any_: list(uuid), is_null_: flag }).nullish(),
    idempotency_key: z.strictObject({ any_: list(text), not_any_: list(text) }).nullish(),
    created_by: z
      .strictObject({ operator, id_: list(uuid), type_: list(text), is_null_: flag })
      .nullish(),
  })
  .meta({ id: 'FlowRunFilter' })

export const taskRunFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text), like_: text.nullish() }).nullish(),
    tags: z.strictObject({ operator, all_: list(text), is_null_: flag }).nullish(),
    state: z
      .strictObject({
        operator,
        type: z.strictObject({ any_: list(stateType) }).nullish(),
        name: z.strictObject({ any_: list(text) }).nullish(),
      })
      .nullish(),
    start_time: z.strictObject({ ...range, is_null_: flag }).nullish(),
    end_time: z.strictObject({ ...range, is_null_: flag }).nullish(),
    expected_start_time: z.strictObject(range).nullish(),
    subflow_runs: z.strictObject({ exists_: flag }).nullish(),
    flow_run_id: z.strictObject({ operator, any_: list(uuid), is_null_: flag }).nullish(),
  })
  .meta({ id: 'TaskRunFilter' })

export const deploymentFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid), not_any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text), like_: text.nullish() }).nullish(),
    flow_or_deployment_name: z.strictObject({ like_: text.nullish() }).nullish(),
    paused: z.strictObject({ eq_: flag }).nullish(),
    tags: z
      .strictObject({ operator, all_: list(text), any_: list(text), is_null_: flag })
      .nullish(),
    work_queue_name: z.strictObject({ any_: list(text) }).nullish(),
    concurrency_limit: z
      .strictObject({ ge_: z.int().nullish(), le_: z.int().nullish(), is_null_: flag })
      .nullish(),
  })
  .meta({ id: 'DeploymentFilter' })

export const workPoolFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text) }).nullish(),
    type: z.strictObject({ any_: list(text) }).nullish(),
  })
  .meta({ id: 'WorkPoolFilter' })

export const workQueueFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text), startswith_: list(text) }).nullish(),
  })
  .meta({ id: 'WorkQueueFilter' })

const workerFilter = z
  .strictObject({
    operator,
    last_heartbeat_time: z.strictObject(range).nullish(),
    status: z
      .strictObject({
        any_: list(z.enum(['ONLINE', 'OFFLINE'])),
        not_any_: list(z.enum(['ONLINE', 'OFFLINE'])),
      })
      .nullish(),
  })
  .meta({ id: 'WorkerFilter' })

export const logFilter = z
  .strictObject({
    operator,
    level: z.strictObject({ ge_: z.int().nullish(), le_: z.int().nullish() }).nullish(),
    timestamp: z.strictObject(range).nullish(),
    flow_run_id: z.strictObject({ any_: list(uuid) }).nullish(),
    task_run_id: z.strictObject({ any_: list(uuid), is_null_: flag }).nullish(),
    text: z.strictObject({ query: z.string().max(200) }).nullish(),
  })
  .meta({ id: 'LogFilter' })

const variableFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text), like_: text.nullish() }).nullish(),
    tags: z.strictObject({ operator, all_: list(text), is_null_: flag }).nullish(),
  })
  .meta({ id: 'VariableFilter' })

const artifactFields = {
  key: z.strictObject({ any_: list(text), like_: text.nullish(), exists_: flag }).nullish(),
  flow_run_id: z.strictObject({ any_: list(uuid) }).nullish(),
  task_run_id: z.strictObject({ any_: list(uuid) }).nullish(),
  type: z.strictObject({ any_: list(text), not_any_: list(text) }).nullish(),
}
const artifactId = z.strictObject({ any_: list(uuid) }).nullish()
const artifactFilter = z
  .strictObject({ operator, id: artifactId, ...artifactFields })
  .meta({ id: 'ArtifactFilter' })
const artifactCollectionFilter = z
  .strictObject({ operator, latest_id: artifactId, ...artifactFields })
  .meta({ id: 'ArtifactCollectionFilter' })

const blockTypeFilter = z
  .strictObject({
    name: z.strictObject({ like_: text.nullish() }).nullish(),
    slug: z.strictObject({ any_: list(text) }).nullish(),
  })
  .meta({ id: 'BlockTypeFilter' })

const blockSchemaFilter = z
  .strictObject({
    operator,
    block_type_id: z.strictObject({ any_: list(uuid) }).nullish(),
    block_capabilities: z.strictObject({ all_: list(text) }).nullish(),
    id: z.strictObject({ any_: list(uuid) }).nullish(),
    version: z.strictObject({ any_: list(text) }).nullish(),
  })
  .meta({ id: 'BlockSchemaFilter' })

const blockDocumentFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid) }).nullish(),
    /** Absent, anonymous ones are left out; null, they are not. */
    is_anonymous: z.strictObject({ eq_: flag }).nullish(),
    block_type_id: z.strictObject({ any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(text), like_: text.nullish() }).nullish(),
  })
  .meta({ id: 'BlockDocumentFilter' })

export type FlowFilter = z.infer<typeof flowFilter>
export type FlowRunFilter = z.infer<typeof flowRunFilter>
export type TaskRunFilter = z.infer<typeof taskRunFilter>
export type DeploymentFilter = z.infer<typeof deploymentFilter>
export type WorkPoolFilter = z.infer<typeof workPoolFilter>
export type WorkQueueFilter = z.infer<typeof workQueueFilter>
export type WorkerFilter = z.infer<typeof workerFilter>
export type LogFilter = z.infer<typeof logFilter>
export type BlockTypeFilter = z.infer<typeof blockTypeFilter>
export type BlockSchemaFilter = z.infer<typeof blockSchemaFilter>
export type BlockDocumentFilter = z.infer<typeof blockDocumentFilter>
export type ArtifactFilter = z.infer<typeof artifactFilter>
export type VariableFilter = z.infer<typeof variableFilter>

/** The largest and the default page, as in Prefect; its CLI takes the first page's size as the page size. */
export const MAX_PAGE = 200

const page = { limit: z.int().min(0).max(MAX_PAGE).nullish(), offset: z.int().min(0).nullish() }
/** `/paginate` counts pages from 1. */
const numbered = { limit: z.int().min(0).max(MAX_PAGE).nullish(), page: z.int().min(1).nullish() }

const runFilters = {
  flows: flowFilter.nullish(),
  flow_runs: flowRunFilter.nullish(),
  task_runs: taskRunFilter.nullish(),
  deployments: deploymentFilter.nullish(),
  work_pools: workPoolFilter.nullish(),
}
const queueFilters = { ...runFilters, work_pool_queues: workQueueFilter.nullish() }

const flowSort = z.enum(['NAME_ASC', 'NAME_DESC', 'CREATED_DESC', 'UPDATED_DESC'])
export const flowRunSort = z.enum([
  'ID_DESC',
  'START_TIME_ASC',
  'START_TIME_DESC',
  'EXPECTED_START_TIME_ASC',
  'EXPECTED_START_TIME_DESC',
  'NAME_ASC',
  'NAME_DESC',
  'NEXT_SCHEDULED_START_TIME_ASC',
  'END_TIME_DESC',
])
const taskRunSort = z.enum([
  'ID_DESC',
  'EXPECTED_START_TIME_ASC',
  'EXPECTED_START_TIME_DESC',
  'NAME_ASC',
  'NAME_DESC',
  'NEXT_SCHEDULED_START_TIME_ASC',
  'END_TIME_DESC',
  'DURATION_ASC',
  'DURATION_DESC',
])
const logSort = z.enum(['TIMESTAMP_ASC', 'TIMESTAMP_DESC'])
export type FlowSort = z.infer<typeof flowSort>
export type FlowRunSort = z.infer<typeof flowRunSort>
export type TaskRunSort = z.infer<typeof taskRunSort>
export type LogSort = z.infer<typeof logSort>

/** Prefect's client sends this to `/flows/filter`, whose server does not know it: only null, which asks for nothing. */
const unknownToFlows = { work_queues: z.null().optional() }
const flowFilters = { ...runFilters, ...unknownToFlows }

export const flowsCount = z.strictObject(flowFilters).meta({ id: 'FlowsCount' })
export const flowsQuery = z
  .strictObject({ ...flowFilters, sort: flowSort.nullish(), ...page })
  .meta({ id: 'FlowsQuery' })
export const flowsPage = z
  .strictObject({ ...flowFilters, sort: flowSort.nullish(), ...numbered })
  .meta({ id: 'FlowsPage' })
export type FlowsCount = z.infer<typeof flowsCount>
export type FlowsQuery = z.infer<typeof flowsQuery>
export type FlowsPage = z.infer<typeof flowsPage>

export const deploymentsCount = z.strictObject(queueFilters).meta({ id: 'DeploymentsCount' })
export const deploymentsQuery = z
  .strictObject({ ...queueFilters, sort: flowSort.nullish(), ...page })
  .meta({ id: 'DeploymentsQuery' })
export const deploymentsPage = z
  .strictObject({ ...queueFilters, sort: flowSort.nullish(), ...numbered })
  .meta({ id: 'DeploymentsPage' })
export type DeploymentsCount = z.infer<typeof deploymentsCount>
export type DeploymentsQuery = z.infer<typeof deploymentsQuery>
export type DeploymentsPage = z.infer<typeof deploymentsPage>

export const flowRunsCount = z.strictObject(queueFilters).meta({ id: 'FlowRunsCount' })
export const flowRunsQuery = z
  .strictObject({ ...queueFilters, sort: flowRunSort.nullish(), ...page })
  .meta({ id: 'FlowRunsQuery' })
export const flowRunsPage = z
  .strictObject({ ...queueFilters, sort: flowRunSort.nullish(), ...numbered })
  .meta({ id: 'FlowRunsPage' })
export type FlowRunsCount = z.infer<typeof flowRunsCount>
export type FlowRunsQuery = z.infer<typeof flowRunsQuery>
export type FlowRunsPage = z.infer<typeof flowRunsPage>

export const taskRunsCount = z.strictObject(runFilters).meta({ id: 'TaskRunsCount' })
export const taskRunsQuery = z
  .strictObject({ ...runFilters, sort: taskRunSort.nullish(), ...page })
  .meta({ id: 'TaskRunsQuery' })
export const taskRunsPage = z
  .strictObject({ ...runFilters, sort: taskRunSort.nullish(), ...numbered })
  .meta({ id: 'TaskRunsPage' })
export type TaskRunsCount = z.infer<typeof taskRunsCount>
export type TaskRunsQuery = z.infer<typeof taskRunsQuery>

export const workPoolsCount = z
  .strictObject({ work_pools: workPoolFilter.nullish() })
  .meta({ id: 'WorkPoolsCount' })
export const workPoolsQuery = z
  .strictObject({ work_pools: workPoolFilter.nullish(), ...page })
  .meta({ id: 'WorkPoolsQuery' })
export const workQueuesQuery = z
  .strictObject({
    work_queues: workQueueFilter.nullish(),
    work_pools: workPoolFilter.nullish(),
    ...page,
  })
  .meta({ id: 'WorkQueuesQuery' })
export const workersQuery = z
  .strictObject({ workers: workerFilter.nullish(), ...page })
  .meta({ id: 'WorkersQuery' })
export type WorkPoolsCount = z.infer<typeof workPoolsCount>
export type WorkPoolsQuery = z.infer<typeof workPoolsQuery>
export type WorkQueuesQuery = z.infer<typeof workQueuesQuery>
export type WorkersQuery = z.infer<typeof workersQuery>

export const blockTypesQuery = z
  .strictObject({
    block_types: blockTypeFilter.nullish(),
    block_schemas: blockSchemaFilter.nullish(),
    ...page,
  })
  .meta({ id: 'BlockTypesQuery' })
export const blockSchemasQuery = z
  .strictObject({ block_schemas: blockSchemaFilter.nullish(), ...page })
  .meta({ id: 'BlockSchemasQuery' })
const blockDocumentFilters = {
  block_documents: blockDocumentFilter.nullish(),
  block_types: blockTypeFilter.nullish(),
  block_schemas: blockSchemaFilter.nullish(),
}
export const blockDocumentsCount = z
  .strictObject(blockDocumentFilters)
  .meta({ id: 'BlockDocumentsCount' })
export const blockDocumentsQuery = z
  .strictObject({
    ...blockDocumentFilters,
    include_secrets: z.boolean().optional(),
    sort: z.enum(['NAME_ASC', 'NAME_DESC', 'BLOCK_TYPE_AND_NAME_ASC']).nullish(),
    /** Prefect's client sends this, which its server does not know: only null, which asks for nothing. */
    block_schema_type: z.null().optional(),
    ...page,
  })
  .meta({ id: 'BlockDocumentsQuery' })
export type BlockTypesQuery = z.infer<typeof blockTypesQuery>
export type BlockSchemasQuery = z.infer<typeof blockSchemasQuery>
export type BlockDocumentsCount = z.infer<typeof blockDocumentsCount>
export type BlockDocumentsQuery = z.infer<typeof blockDocumentsQuery>

export const savedSearchesQuery = z.strictObject(page).meta({ id: 'SavedSearchesQuery' })
export type SavedSearchesQuery = z.infer<typeof savedSearchesQuery>

export const logsQuery = z
  .strictObject({ logs: logFilter.nullish(), sort: logSort.nullish(), ...page })
  .meta({ id: 'LogsQuery' })
export type LogsQuery = z.infer<typeof logsQuery>

export const variablesCount = z
  .strictObject({ variables: variableFilter.nullish() })
  .meta({ id: 'VariablesCount' })
export const variablesQuery = z
  .strictObject({ variables: variableFilter.nullish(), sort: flowSort.nullish(), ...page })
  .meta({ id: 'VariablesQuery' })
export type VariablesCount = z.infer<typeof variablesCount>
export type VariablesQuery = z.infer<typeof variablesQuery>

const ownersOfArtifact = {
  flow_runs: flowRunFilter.nullish(),
  task_runs: taskRunFilter.nullish(),
  flows: flowFilter.nullish(),
  deployments: deploymentFilter.nullish(),
}
const artifactSort = z.enum(['ID_DESC', 'KEY_ASC', 'KEY_DESC', 'CREATED_DESC', 'UPDATED_DESC'])
export type ArtifactSort = z.infer<typeof artifactSort>

const artifactFilters = { artifacts: artifactFilter.nullish(), ...ownersOfArtifact }
export const artifactsCount = z.strictObject(artifactFilters).meta({ id: 'ArtifactsCount' })
export const artifactsQuery = z
  .strictObject({ ...artifactFilters, sort: artifactSort.nullish(), ...page })
  .meta({ id: 'ArtifactsQuery' })
export type ArtifactsCount = z.infer<typeof artifactsCount>
export type ArtifactsQuery = z.infer<typeof artifactsQuery>

const collectionFilters = { artifacts: artifactCollectionFilter.nullish(), ...ownersOfArtifact }
export const artifactCollectionsCount = z
  .strictObject(collectionFilters)
  .meta({ id: 'ArtifactCollectionsCount' })
export const artifactCollectionsQuery = z
  .strictObject({ ...collectionFilters, sort: artifactSort.nullish(), ...page })
  .meta({ id: 'ArtifactCollectionsQuery' })
export type ArtifactCollectionsCount = z.infer<typeof artifactCollectionsCount>
export type ArtifactCollectionsQuery = z.infer<typeof artifactCollectionsQuery>

/** Prefect names the queues' filter differently here, and here only. */
export const flowRunHistoryQuery = z
  .strictObject({
    ...runFilters,
    work_queues: workQueueFilter.nullish(),
    history_start: timestamp,
    history_end: timestamp,
    history_interval_seconds: z.number().min(1),
  })
  .meta({ id: 'FlowRunHistoryQuery' })
export type FlowRunHistoryQuery = z.infer<typeof flowRunHistoryQuery>

export const taskRunHistoryQuery = z
  .strictObject({
    flows: flowFilter.nullish(),
    flow_runs: flowRunFilter.nullish(),
    task_runs: taskRunFilter.nullish(),
    deployments: deploymentFilter.nullish(),
    history_start: timestamp,
    history_end: timestamp,
    history_interval_seconds: z.number().min(1),
  })
  .meta({ id: 'TaskRunHistoryQuery' })

export const historyInterval = z
  .object({
    interval_start: z.string(),
    interval_end: z.string(),
    states: z.array(
      z.object({
        state_type: stateType,
        state_name: z.string(),
        count_runs: z.int(),
        /** Seconds. */
        sum_estimated_run_time: z.number(),
        /** Seconds. */
        sum_estimated_lateness: z.number(),
      }),
    ),
  })
  .meta({ id: 'HistoryResponse' })
export type HistoryInterval = z.infer<typeof historyInterval>

/** A numbered page of any list. */
/** Of limits, global ones and those of tags: no filter, sorted by name. */
export const concurrencyLimitsQuery = z.object(page).meta({ id: 'ConcurrencyLimitsQuery' })
export type ConcurrencyLimitsQuery = z.infer<typeof concurrencyLimitsQuery>

export const paged = <T extends z.ZodType>(item: T) =>
  z.object({
    results: z.array(item),
    count: z.int(),
    limit: z.int(),
    pages: z.int(),
    page: z.int(),
  })
export interface Paged<T> {
  results: T[]
  count: number
  limit: number
  pages: number
  page: number
}

// What the console reads beyond Prefect's lists: complete rows by cursor, counts by facet, a histogram.

export const flowRunRowsQuery = z
  .strictObject({
    ...queueFilters,
    sort: flowRunSort.nullish(),
    limit: page.limit,
    /** `next_cursor` of the page before. */
    cursor: z.string().nullish(),
  })
  .meta({ id: 'FlowRunRowsQuery' })
export type FlowRunRowsQuery = z.infer<typeof flowRunRowsQuery>

export const flowRunRows = z
  .object({
    rows: z.array(flowRunRow),
    next_cursor: z.string().nullable(),
    /** The feed's version at the time of reading: subscribe with it and nothing is missed. */
    version: z.int(),
  })
  .meta({ id: 'FlowRunRows' })
export type FlowRunRows = z.infer<typeof flowRunRows>

const facet = z.enum([
  'state_name',
  'state_type',
  'flow',
  'deployment',
  'work_pool',
  'work_queue',
  'tag',
])
export type Facet = z.infer<typeof facet>

export const flowRunFacetsQuery = z
  .strictObject({ ...queueFilters, facets: z.array(facet).min(1).max(7) })
  .meta({ id: 'FlowRunFacetsQuery' })
export type FlowRunFacetsQuery = z.infer<typeof flowRunFacetsQuery>

export const flowRunFacets = z
  .object({
    total: z.int(),
    facets: z.record(
      z.string(),
      z.array(
        z.object({ id: z.string().nullable(), label: z.string().nullable(), count: z.int() }),
      ),
    ),
  })
  .meta({ id: 'FlowRunFacets' })
export type FlowRunFacets = z.infer<typeof flowRunFacets>

export const flowRunHistogramQuery = z
  .strictObject({
    ...queueFilters,
    start: timestamp,
    end: timestamp,
    buckets: z.int().min(1).max(200),
  })
  .meta({ id: 'FlowRunHistogramQuery' })
export type FlowRunHistogramQuery = z.infer<typeof flowRunHistogramQuery>

export const flowRunHistogram = z
  .object({
    buckets: z.array(
      z.object({
        start: z.string(),
        end: z.string(),
        counts: z.record(stateType, z.int()).or(z.record(z.string(), z.int())),
      }),
    ),
  })
  .meta({ id: 'FlowRunHistogram' })
export type FlowRunHistogram = z.infer<typeof flowRunHistogram>

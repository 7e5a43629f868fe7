import * as z from 'zod'
import { flowRun } from '#core/wire/flow-run.ts'
import {
  flowRunFacets,
  flowRunFacetsQuery,
  flowRunHistogram,
  flowRunHistogramQuery,
  flowRunHistoryQuery,
  flowRunRows,
  flowRunRowsQuery,
  flowRunsCount,
  flowRunsPage,
  flowRunsQuery,
  historyInterval,
  MAX_PAGE,
  paged,
} from '#core/wire/query.ts'
import { DomainError } from '#domain/errors.ts'
import * as counts from '#storage/flow-run-counts.ts'
import * as flowRuns from '#storage/flow-runs.ts'
import { runHistory } from '#storage/run-history.ts'
import { eventHubStub } from '../operations/stubs.ts'
import { parseCursor, toCursor } from './cursor.ts'
import { endpoint, type Api } from './endpoint.ts'
import { toPage, toSlice } from './page.ts'

const tag = 'Flow runs'

/** Flow runs as everybody lists, filters and counts them: out of the store, which is some moments behind the homes. */
export function addFlowRunListRoutes(api: Api): void {
  addLists(api)
  addCounts(api)
  addConsoleRoutes(api)
}

function addLists(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/filter',
      tag,
      summary: 'List flow runs',
      body: flowRunsQuery,
      bodyOptional: true,
      answers: { 200: z.array(flowRun) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await flowRuns.listFlowRuns(
        workspace,
        body,
        body.sort ?? 'ID_DESC',
        toSlice(body),
        now,
      ),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/paginate',
      tag,
      summary: 'List flow runs by numbered pages',
      body: flowRunsPage,
      bodyOptional: true,
      answers: { 200: paged(flowRun) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => {
      const page = toPage(body)
      const [results, count] = await Promise.all([
        flowRuns.listFlowRuns(workspace, body, body.sort ?? 'ID_DESC', page.slice, now),
        flowRuns.countFlowRuns(workspace, body),
      ])
      return { status: 200, body: page.answer(results, count) }
    },
  )
}

function addCounts(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/count',
      tag,
      summary: 'Count flow runs',
      body: flowRunsCount,
      bodyOptional: true,
      answers: { 200: z.int() },
      listsRuns: true,
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await flowRuns.countFlowRuns(workspace, body),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/history',
      tag,
      summary: 'Count flow runs by time and state',
      body: flowRunHistoryQuery,
      answers: { 200: z.array(historyInterval) },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => {
      const filters = { ...body, work_pool_queues: body.work_queues }
      return { status: 200, body: await runHistory(workspace, 'flow_run', filters, body, now) }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/lateness',
      tag,
      summary: 'How many seconds flow runs start late, on average',
      body: flowRunsCount,
      bodyOptional: true,
      answers: { 200: z.number().nullable() },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => ({
      status: 200,
      body: await counts.averageLateness(workspace, body, now),
    }),
  )
}

function addConsoleRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/rows',
      tag,
      summary: 'List flow runs with all names that a table shows, by cursor',
      body: flowRunRowsQuery,
      bodyOptional: true,
      answers: { 200: flowRunRows },
      listsRuns: true,
    },
    async ({ workspace, body, now }) => {
      const sort = body.sort ?? 'ID_DESC'
      // Read before the rows, so that a change between the two is sent again rather than missed.
      const version = await eventHubStub(workspace).version()
      const { rows, next } = await flowRuns.listFlowRunRows(
        workspace,
        body,
        sort,
        { limit: body.limit ?? MAX_PAGE, after: parseCursor(sort, body.cursor) },
        now,
      )
      return {
        status: 200,
        body: {
          rows,
          next_cursor: next === undefined ? null : toCursor(sort, next),
          version,
        },
      }
    },
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/facets',
      tag,
      summary: 'Count flow runs by state, flow, deployment, pool, queue or tag',
      body: flowRunFacetsQuery,
      answers: { 200: flowRunFacets },
      listsRuns: true,
    },
    async ({ workspace, body }) => ({
      status: 200,
      body: await counts.countByFacets(workspace, body, [...new Set(body.facets)]),
    }),
  )
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/histogram',
      tag,
      summary: 'Count flow runs by state in equal parts of a span of time',
      body: flowRunHistogramQuery,
      answers: { 200: flowRunHistogram },
      listsRuns: true,
    },
    async ({ workspace, body }) => {
      if (body.end <= body.start) {
        throw new DomainError('invalid', 'The end must be after the start.', { field: ['end'] })
      }
      return { status: 200, body: await counts.countByTime(workspace, body, body) }
    },
  )
}

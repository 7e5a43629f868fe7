import { keepPreviousData, QueryClient, queryOptions } from '@tanstack/svelte-query'
import { errorKind } from '#core/retry.ts'
import { api } from './api.ts'
import {
  formatRunsView,
  toFacetsQuery,
  toHistogramQuery,
  toRowsQuery,
  type RunsView,
} from './runs/runs-view.ts'
import { narrowScreen } from './screen.svelte.ts'

/** Server state, shared by all screens: going back shows at once what was there, then what is new. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => failures < 2 && errorKind(error) === 'retry',
      retryDelay: (failures) => 400 * 2 ** failures,
      staleTime: 5_000,
      refetchOnWindowFocus: false,
    },
  },
})

type Fetch = typeof fetch

/** Bars that can still be told apart and picked. */
const histogramBuckets = () => (narrowScreen.current ? 36 : 72)

export const runRows = (view: RunsView, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['runs', 'rows', formatRunsView(view)],
    queryFn: () => api(fetchWith).flowRunRows(toRowsQuery(view, Date.now())),
    placeholderData: keepPreviousData,
  })

export const runFacets = (view: RunsView, fetchWith?: Fetch) => {
  const shared = { ...view, states: [], sort: 'NAME_ASC' as const }
  return queryOptions({
    queryKey: ['runs', 'facets', formatRunsView(shared)],
    queryFn: () => api(fetchWith).flowRunFacets(toFacetsQuery(view, Date.now())),
    placeholderData: keepPreviousData,
  })
}

export const runHistogram = (view: RunsView, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['runs', 'histogram', formatRunsView({ ...view, sort: 'NAME_ASC' })],
    queryFn: () =>
      api(fetchWith).flowRunHistogram(toHistogramQuery(view, Date.now(), histogramBuckets())),
    placeholderData: keepPreviousData,
  })

/** The run as a list shows it, with the names of its flow and deployment; null when there is none. */
export const runRow = (id: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['run', id, 'row'],
    queryFn: async () => {
      const page = await api(fetchWith).flowRunRows({
        flow_runs: { id: { any_: [id] } },
        limit: 1,
      })
      return { row: page.rows[0] ?? null, version: page.version }
    },
  })

export const runStates = (id: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['run', id, 'states'],
    queryFn: () => api(fetchWith).readFlowRunStates(id),
  })

/** Why the run waits; asked again, since what keeps it changes elsewhere. */
export const runWhy = (id: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['run', id, 'why'],
    queryFn: () => api(fetchWith).explainFlowRun(id),
    refetchInterval: 5_000,
  })

/** The whole run, with its parameters. */
export const wholeRun = (id: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['run', id, 'whole'],
    queryFn: () => api(fetchWith).readFlowRun(id),
  })

export const workPools = (fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['work-pools'],
    queryFn: () => api(fetchWith).filterWorkPools({ limit: 200 }),
  })

export const workPool = (name: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['work-pool', name],
    queryFn: () => api(fetchWith).readWorkPool(name),
  })

export const workQueues = (pool: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['work-pool', pool, 'queues'],
    queryFn: () => api(fetchWith).filterWorkQueues(pool, { limit: 200 }),
  })

export const workers = (pool: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['work-pool', pool, 'workers'],
    queryFn: () => api(fetchWith).filterWorkers(pool, { limit: 200 }),
  })

/** Deployments carry their flow's id only, so that its name takes a second request. */
export const deployments = (name: string, fetchWith?: Fetch) =>
  queryOptions({
    queryKey: ['deployments', name],
    queryFn: async () => {
      const client = api(fetchWith)
      const found = await client.filterDeployments({
        ...(name === '' ? {} : { deployments: { flow_or_deployment_name: { like_: name } } }),
        sort: 'NAME_ASC',
        limit: 200,
      })
      const ids = [...new Set(found.map((deployment) => deployment.flow_id))]
      const flows =
        ids.length === 0
          ? []
          : await client.filterFlows({ flows: { id: { any_: ids } }, limit: 200 })
      const names = new Map(flows.map((flow) => [flow.id, flow.name]))
      return found.map((deployment) =>
        Object.assign(deployment, { flow_name: names.get(deployment.flow_id) ?? null }),
      )
    },
    placeholderData: keepPreviousData,
  })

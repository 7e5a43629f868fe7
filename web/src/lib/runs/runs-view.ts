import type {
  FlowRunFilter,
  FlowRunFacetsQuery,
  FlowRunHistogramQuery,
  FlowRunRowsQuery,
  FlowRunSort,
} from '#core/wire/query.ts'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import { parseRangeEnd } from '../time.ts'
import { STATE_KINDS, STATE_TYPE_OF, type StateKind } from './state-kind.ts'

/** What the runs list shows; stands in the URL whole, so that a copied link shows the same. */
export interface RunsView {
  states: StateKind[]
  name: string
  flow: string
  deployment: string
  pool: string
  queue: string
  tags: string[]
  /** `now-24h`, `now`, or ISO times. */
  from: string
  to: string
  sort: RunsSort
}

const SORTS = [
  'EXPECTED_START_TIME_DESC',
  'EXPECTED_START_TIME_ASC',
  'NAME_ASC',
  'NAME_DESC',
] as const satisfies FlowRunSort[]
export type RunsSort = (typeof SORTS)[number]

export const DEFAULT_VIEW: RunsView = {
  states: [],
  name: '',
  flow: '',
  deployment: '',
  pool: '',
  queue: '',
  tags: [],
  from: 'now-24h',
  to: 'now',
  sort: 'EXPECTED_START_TIME_DESC',
}

const TEXT_KEYS = ['name', 'flow', 'deployment', 'pool', 'queue'] as const

/** Reads a view from a query string. What is not understood is taken as absent. */
export function parseRunsView(params: URLSearchParams): RunsView {
  const view: RunsView = { ...DEFAULT_VIEW }
  const states = (params.get('state') ?? '').split(',')
  view.states = STATE_KINDS.filter((kind) => states.includes(kind))
  for (const key of TEXT_KEYS) {
    view[key] = params.get(key) ?? ''
  }
  view.tags = [...new Set(params.getAll('tag'))].filter((tag) => tag !== '')
  const from = params.get('from')
  const to = params.get('to')
  if (from !== null && parseRangeEnd(from, 0) !== undefined) {
    view.from = from
  }
  if (to !== null && parseRangeEnd(to, 0) !== undefined) {
    view.to = to
  }
  view.sort = SORTS.find((sort) => sort === params.get('sort')) ?? DEFAULT_VIEW.sort
  return view
}

/** Writes a view as a query string with its leading `?`; the default view is the empty string. */
export function formatRunsView(view: RunsView): string {
  const params = new URLSearchParams()
  if (view.states.length > 0) {
    params.set('state', STATE_KINDS.filter((kind) => view.states.includes(kind)).join(','))
  }
  for (const key of TEXT_KEYS) {
    if (view[key] !== '') {
      params.set(key, view[key])
    }
  }
  for (const tag of new Set(view.tags)) {
    if (tag !== '') {
      params.append('tag', tag)
    }
  }
  for (const key of ['from', 'to', 'sort'] as const) {
    if (view[key] !== DEFAULT_VIEW[key]) {
      params.set(key, view[key])
    }
  }
  const text = params.toString().replaceAll('%2C', ',').replaceAll('%3A', ':')
  return text === '' ? '' : `?${text}`
}

/** Whether anything but the time range and the sort narrows the list. */
export function isFiltered(view: RunsView): boolean {
  return view.states.length > 0 || view.tags.length > 0 || TEXT_KEYS.some((key) => view[key] !== '')
}

export interface Range {
  from: number
  to: number
}

export function rangeOf(view: RunsView, now: number): Range {
  const from = parseRangeEnd(view.from, now) ?? now - 86_400_000
  const to = parseRangeEnd(view.to, now) ?? now
  return from < to ? { from, to } : { from: to, to: Math.max(from, to + 1) }
}

type Filters = Pick<FlowRunRowsQuery, 'flows' | 'flow_runs' | 'deployments' | 'work_pools'>

function filters(view: RunsView, now: number, withStates: boolean): Filters {
  const { from, to } = rangeOf(view, now)
  const runs: FlowRunFilter = {
    expected_start_time: {
      after_: new Date(from).toISOString(),
      before_: new Date(to).toISOString(),
    },
  }
  if (view.name !== '') {
    runs.name = { like_: view.name }
  }
  if (view.queue !== '') {
    runs.work_queue_name = { any_: [view.queue] }
  }
  if (view.tags.length > 0) {
    runs.tags = { all_: view.tags }
  }
  const state = withStates ? stateFilter(view.states) : undefined
  if (state) {
    runs.state = state
  }
  return {
    flow_runs: runs,
    ...(view.flow === '' ? {} : { flows: { name: { any_: [view.flow] } } }),
    ...(view.deployment === '' ? {} : { deployments: { name: { any_: [view.deployment] } } }),
    ...(view.pool === '' ? {} : { work_pools: { name: { any_: [view.pool] } } }),
  }
}

/** Late is a name within SCHEDULED, all other kinds are types. */
function stateFilter(kinds: StateKind[]): FlowRunFilter['state'] | undefined {
  const types = kinds.flatMap((kind) => (kind === 'late' ? [] : [STATE_TYPE_OF[kind]]))
  const late = kinds.includes('late')
  if (late && types.length > 0) {
    return { operator: 'or_', type: { any_: types }, name: { any_: ['Late'] } }
  }
  if (late) {
    return { name: { any_: ['Late'] } }
  }
  return types.length > 0 ? { type: { any_: types } } : undefined
}

export function toRowsQuery(view: RunsView, now: number, cursor?: string): FlowRunRowsQuery {
  return {
    ...filters(view, now, true),
    sort: view.sort,
    limit: 200,
    ...(cursor === undefined ? {} : { cursor }),
  }
}

/** Counts by state of everything that the rest of the view lets through: the chips show what choosing them would give. */
export function toFacetsQuery(view: RunsView, now: number): FlowRunFacetsQuery {
  return { ...filters(view, now, false), facets: ['state_type', 'state_name'] }
}

export function toHistogramQuery(
  view: RunsView,
  now: number,
  buckets: number,
): FlowRunHistogramQuery {
  const { from, to } = rangeOf(view, now)
  return {
    ...filters(view, now, true),
    start: new Date(from).toISOString(),
    end: new Date(to).toISOString(),
    buckets,
  }
}

/** Whether a row that the feed brought belongs to the view: what the server decides for the rows it lists. */
export function matchesView(row: FlowRunRow, view: RunsView, now: number): boolean {
  const { from, to } = rangeOf(view, now)
  const due = Date.parse(row.expected_start_time ?? row.created)
  return (
    due >= from &&
    due <= to &&
    (view.states.length === 0 || view.states.some((kind) => isOfKind(row, kind))) &&
    row.name.toLowerCase().includes(view.name.toLowerCase()) &&
    (view.flow === '' || row.flow_name === view.flow) &&
    (view.deployment === '' || row.deployment_name === view.deployment) &&
    (view.pool === '' || row.work_pool_name === view.pool) &&
    (view.queue === '' || row.work_queue_name === view.queue) &&
    view.tags.every((tag) => row.tags.includes(tag))
  )
}

function isOfKind(row: FlowRunRow, kind: StateKind): boolean {
  return kind === 'late' ? row.state_name === 'Late' : row.state_type === STATE_TYPE_OF[kind]
}

/** The order of the server's list: the sort's column, then the id, so that it is total. */
export function compareRows(sort: RunsSort): (a: FlowRunRow, b: FlowRunRow) => number {
  const byName = sort.startsWith('NAME')
  const sign = sort.endsWith('_DESC') ? -1 : 1
  const key = (row: FlowRunRow) => (byName ? row.name : (row.expected_start_time ?? row.created))
  return (a, b) => sign * (order(key(a), key(b)) || order(a.id, b.id))
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

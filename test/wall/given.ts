import type { Route } from '../support/routes.ts'
import { isBulk } from './operations.ts'
import { aName, idOf, nameOf, type FullWorkspace } from './full-workspace.ts'

/** What an operation needs to be told beyond what its schemas say. */
export interface Given {
  path?: Record<string, string>
  query?: Record<string, string>
  body?: unknown
}

type Give = (own: FullWorkspace) => Given

const event = (): Given => ({
  body: [{ resource: { 'prefect.resource.id': aName('resource') } }],
})
const span: Give = () => ({
  body: {
    history_start: '2026-01-01T00:00:00Z',
    history_end: '2026-01-02T00:00:00Z',
    history_interval_seconds: 3600,
  },
})
/** Else it would fire at each event, and do what it says. */
const idle: Give = () => ({ body: { enabled: false } })

/** A key as an agent makes it. */
const agentKey = (): Given => ({
  body: { key_hash: crypto.randomUUID().replaceAll('-', '').repeat(2), key_hint: 'hg_key_…0000' },
})

const hourly = { schedule: { interval: 3600 } }
/** A limit of Prefect's first kind, which is of a tag. */
const ofTag: Give = ({ known }) => ({ path: { id: known['concurrency_limit']?.ids.at(-1) ?? '' } })

/** By operation. A new one belongs here only when the test says that its request is refused. */
const GIVEN: Record<string, Give> = {
  'GET /events/filter/next': ({ pageToken }) => ({ query: { 'page-token': pageToken } }),
  'POST /agents/enrol': agentKey,
  'POST /agents/key': agentKey,
  'POST /automations/': idle,
  'PUT /automations/{id}': idle,
  'POST /events': event,
  'POST /flow_runs/history': span,
  'POST /task_runs/history': span,
  'GET /collections/views/{view}': () => ({ path: { view: 'aggregate-worker-metadata' } }),
  'GET /concurrency_limits/{id}': ofTag,
  'DELETE /concurrency_limits/{id}': ofTag,
  'POST /block_documents/': () => ({ body: { name: aName('block_document') } }),
  'POST /deployments/{id}/schedules': () => ({ body: [hourly] }),
  'POST /events/count-by/{countable}': () => ({ path: { countable: 'day' } }),
  'POST /flow_runs/histogram': () => ({
    body: { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' },
  }),
  'POST /members/invitations': () => ({ body: { email: `${crypto.randomUUID()}@example.com` } }),
  'POST /schedules/preview': () => ({ body: hourly }),
  'POST /ui/task_runs/dashboard/counts': () => ({
    body: { task_runs: { start_time: { after_: '2026-01-01T00:00:00Z' } } },
  }),
}

/** @param slots the names of those that are filled besides */
export function given(route: Route, own: FullWorkspace, slots: readonly string[]): Given {
  const isOpen = !slots.some((name) => FILTER.test(name) && !name.includes('.not_'))
  return isBulk(route) && isOpen ? nobodyOf(route) : (GIVEN[route.name]?.(own) ?? {})
}

const FILTER = /^(flows|flow_runs|task_runs|deployments|work_pools|work_pool_queues)\./

/** A change of many must not take all that the caller has: of none, where no slot says of which. */
function nobodyOf({ path }: Route): Given {
  const noun = path.split('/')[1] ?? ''
  return { body: { [noun]: { name: { any_: [aName('nobody')] } } } }
}

/** Operations that give a thing another name: what they are tried on is made anew each time. */
const RENAMES: Record<string, (own: FullWorkspace) => Promise<void>> = {
  'PATCH /variables/{id}': aVariable,
  'PATCH /variables/name/{name}': aVariable,
  'PATCH /v2/concurrency_limits/{id_or_name}': async (own) => {
    const made = await own.client.createConcurrencyLimit({ name: aName('limit'), limit: 1 })
    own.known['concurrency_limit'] = { ids: [made.id], names: [made.name] }
  },
  'PATCH /work_queues/{id}': aQueue,
  'PATCH /work_pools/{work_pool_name}/queues/{name}': aQueue,
}

export async function renew(route: Route, own: FullWorkspace): Promise<void> {
  await RENAMES[route.name]?.(own)
}

async function aVariable(own: FullWorkspace): Promise<void> {
  const { id, name } = await own.client.createVariable({ name: aName('variable'), value: 1 })
  own.known['variable'] = { ids: [id], names: [name] }
}

async function aQueue(own: FullWorkspace): Promise<void> {
  const pool = nameOf(own, 'work_pool')
  const { id, name } = await own.client.createWorkQueue(pool, { name: aName('work_queue') })
  own.known['work_queue'] = { ids: [id, idOf(own, 'work_queue')], names: [name] }
}

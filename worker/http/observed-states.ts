import * as z from 'zod'
import { observedState } from '#core/wire/ui.ts'
import { listObservedStates } from '#storage/observed-states.ts'
import { endpoint, type Api } from './endpoint.ts'

const MAX_STATES = 200

const query = z.object({
  query: z.string().max(100).optional(),
  order_by: z.enum(['NAME_ASC', 'LAST_SEEN_DESC']).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_STATES).optional(),
})

export function addObservedStateRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/observed-states',
      tag: 'Observed states',
      summary: 'The names and types of states that recent runs have been in, by their beginning',
      query,
      answers: { 200: z.array(observedState) },
    },
    async ({ workspace, query: { query: text = '', order_by, limit = MAX_STATES } }) => {
      const start = text.trim().toLowerCase()
      const found = (await listObservedStates(workspace)).filter(({ state_type, state_name }) =>
        [state_type, state_name].some((name) => name.toLowerCase().startsWith(start)),
      )
      const ordered =
        order_by === 'NAME_ASC'
          ? found
          : found.toSorted((a, b) => (a.last_seen < b.last_seen ? 1 : -1))
      return { status: 200, body: ordered.slice(0, limit) }
    },
  )
}

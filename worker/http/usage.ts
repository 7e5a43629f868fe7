import * as z from 'zod'
import { formatTimestamp, parseTimestamp } from '#core/time.ts'
import { usage } from '#core/wire/usage.ts'
import { dayBefore, monthEnd, monthOf } from '#domain/usage.ts'
import { listDays, readMonth, readStanding } from '#storage/usage.ts'
import { gatherUsage } from '../operations/gather-usage.ts'
import { endpoint, type Api } from './endpoint.ts'

const MAX_DAYS = 400
const usageQuery = z.object({ days: z.coerce.number().int().min(1).max(MAX_DAYS).optional() })

export function addUsageRoutes(api: Api): void {
  endpoint(
    api,
    {
      method: 'get',
      path: '/usage',
      tag: 'Usage',
      summary:
        'What the workspace has used, day by day, and its account in this month, with the limits of its plan',
      query: usageQuery,
      answers: { 200: usage },
    },
    async ({ workspace, query, now }) => {
      await gatherUsage(workspace)
      const [{ plan, limits }, month, days] = await Promise.all([
        readStanding(workspace, now),
        readMonth(workspace, now),
        listDays(workspace, dayBefore(now, (query.days ?? 31) - 1)),
      ])
      const from = formatTimestamp(parseTimestamp(`${monthOf(now)}-01`) ?? now)
      return {
        status: 200,
        body: {
          plan,
          limits,
          month: { ...month, from, resets: formatTimestamp(monthEnd(now)) },
          days,
        },
      }
    },
  )
}

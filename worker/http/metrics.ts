import type { Hono } from 'hono'
import { prometheusText } from '#domain/prometheus.ts'
import { serviceGauges } from '#storage/metrics.ts'
import type { AppEnv } from './endpoint.ts'
import { isOperator } from './operator.ts'

const DEFAULT_HOURS = 1
const MAX_HOURS = 24

/**
 * Figures of the whole service for who runs it, by a key of his own. It is no part of the API of workspaces: without that
 * key, or where none is set, it is not there.
 */
export function addMetricsRoute(app: Hono<AppEnv>): void {
  app.get('/api/admin/metrics', async (context) => {
    if (!(await isOperator(context))) {
      return context.json({ detail: 'Not Found' }, 404)
    }
    const hours = Number(context.req.query('hours') ?? DEFAULT_HOURS)
    if (!Number.isInteger(hours) || hours < 1 || hours > MAX_HOURS) {
      return context.json({ detail: `hours: expected a whole number from 1 to ${MAX_HOURS}.` }, 422)
    }
    const gauges = await serviceGauges(context.env.DB, hours, context.get('now'))
    return context.body(prometheusText(gauges), 200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
      'Cache-Control': 'no-store',
    })
  })
}

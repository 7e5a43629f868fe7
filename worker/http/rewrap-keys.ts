import type { Hono } from 'hono'
import { rewrapKeys } from '#storage/rewrap-keys.ts'
import type { AppEnv } from './endpoint.ts'
import { isOperator } from './operator.ts'

/** Each is one statement; a request of the Worker has a thousand. */
const KEYS_AT_ONCE = 200

/**
 * After a change of HEADGATE_SECRET, for who runs the service: wraps keys of workspaces by the present secret, some at a time, and
 * says what still needs a former one. Keys that are read are wrapped anew without it; this is for those that nobody reads.
 */
export function addRewrapRoute(app: Hono<AppEnv>): void {
  app.post('/api/admin/rewrap_keys', async (context) =>
    (await isOperator(context))
      ? context.json(await rewrapKeys(context.env, KEYS_AT_ONCE))
      : context.json({ detail: 'Not Found' }, 404),
  )
}

import type { Context } from 'hono'
import { hashApiKey } from '#storage/access.ts'
import type { AppEnv } from './endpoint.ts'

/** Whether who runs the service asks, by a key of his own; where none is set nobody does. */
export async function isOperator(context: Context<AppEnv>): Promise<boolean> {
  const expected = context.env.HEADGATE_OPERATOR_KEY ?? ''
  const given = /^Bearer (.+)$/.exec(context.req.header('Authorization') ?? '')?.[1] ?? ''
  return expected !== '' && (await isSame(given, expected))
}

/** Compared by digests, so that the time which that takes says nothing of the key. */
async function isSame(given: string, expected: string): Promise<boolean> {
  return (await hashApiKey(given)) === (await hashApiKey(expected))
}

import type { Context, Hono } from 'hono'
import * as z from 'zod'
import { isUuid } from '#core/uuid.ts'
import { limitsChange, planName } from '#core/wire/usage.ts'
import { planOf, type PlanChoice } from '#domain/plans.ts'
import { serviceChoice } from '#storage/service-plan.ts'
import { findPlanChoice, setPlanChoice } from '#storage/usage.ts'
import type { AppEnv } from './endpoint.ts'
import { parsePart, readBody } from './input.ts'
import { isOperator } from './operator.ts'

const PATH = '/api/admin/accounts/:id/plan'

/** Null: as the service has it. */
const planChoice = z.strictObject({
  plan: planName.nullish(),
  limits: limitsChange.nullish(),
})

/** For who runs the service: the plan of an account, and what of it differs. Homes and shards go by it within a quarter of an hour. */
export function addPlanRoutes(app: Hono<AppEnv>): void {
  app.get(PATH, async (context) => {
    const choice = await chosen(context)
    return choice === undefined ? notFound(context) : answer(context, choice)
  })
  app.put(PATH, async (context) => {
    if ((await chosen(context)) === undefined) {
      return notFound(context)
    }
    const { value } = await readBody(context.req.raw, false)
    const given = parsePart('body', planChoice, value) as z.output<typeof planChoice>
    const { plan = null, limits = null } = given
    const choice = { plan, limits }
    await setPlanChoice(context.env.DB, context.req.param('id'), choice, context.get('now'))
    return answer(context, choice)
  })
}

/** Undefined also where nobody may know of the account. */
async function chosen(context: Context<AppEnv>): Promise<PlanChoice | undefined> {
  const id = context.req.param('id') ?? ''
  return (await isOperator(context)) && isUuid(id)
    ? await findPlanChoice(context.env.DB, id)
    : undefined
}

function answer(context: Context<AppEnv>, choice: PlanChoice): Response {
  return context.json({ ...choice, in_force: planOf(choice, serviceChoice(context.env)) })
}

function notFound(context: Context<AppEnv>): Response {
  return context.json({ detail: 'Not Found' }, 404)
}

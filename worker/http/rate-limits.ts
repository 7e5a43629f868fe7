import type { Context } from 'hono'
import type { Micros } from '#core/time.ts'
import {
  budgetOf,
  PERIOD_SECONDS,
  periodOf,
  rateLimitHeaders,
  standingOf,
  tighter,
  type Budget,
  type Standing,
} from '#domain/rate-limit.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import type { Caller } from './auth.ts'
import type { AppEnv } from './endpoint.ts'

/** More requests than the key or the workspace has in this period. */
export class TooManyRequests extends Error {
  override readonly name = 'TooManyRequests'
  readonly retryAfterSeconds: number

  constructor(whose: string, budget: Budget, { limit, resetSeconds }: Standing) {
    super(
      `${whose} has ${limit} requests of the kind '${budget}' in ${PERIOD_SECONDS} s, and they are used up; try again in ${resetSeconds} s.`,
    )
    this.retryAfterSeconds = resetSeconds
  }
}

/** Requests of the present period, counted in the isolate. Only known callers are in it: nobody can fill it with inventions. */
class Counters {
  #period = 0
  readonly #counts = new Map<string, number>()

  count(name: string, now: Micros): number {
    const period = periodOf(now)
    if (period !== this.#period) {
      this.#period = period
      this.#counts.clear()
    }
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    return count
  }
}

const counters = new Counters()

/**
 * Counts a request to its key and its workspace, and says in the answer's headers what is left of the tighter of the two.
 * The isolate counts for itself, which costs nothing; where Cloudflare's rate limits are bound, they count for all isolates of
 * the place as well, so that what is left may be less than was said.
 * @param workspace undefined where the caller asks for what is of no workspace
 * @throws TooManyRequests
 */
export async function spendRequest(
  context: Context<AppEnv>,
  operation: { method: string; path: string },
  caller: Caller,
  workspace: Workspace | undefined,
): Promise<void> {
  const { env } = context
  const budget = budgetOf(operation.method, operation.path)
  const now = context.get('now')
  const purses: Purse[] = [
    {
      whose: 'This key',
      name: `${budget} ${'id' in caller ? caller.id : caller.flow_run_id}`,
      limit: limitOf('HEADGATE_REQUESTS_PER_KEY', env),
      shared: env.REQUESTS_OF_KEYS,
    },
    {
      whose: 'This workspace',
      name: workspace === undefined ? undefined : `${budget} ${workspace.id}`,
      limit: limitOf('HEADGATE_REQUESTS_PER_WORKSPACE', env),
      shared: env.REQUESTS_OF_WORKSPACES,
    },
  ]
  const spent = await Promise.all(purses.map((purse) => spend(purse, now)))
  let tightest: Standing | undefined
  for (const standing of spent) {
    tightest =
      standing === undefined || tightest === undefined
        ? (tightest ?? standing)
        : tighter(tightest, standing)
  }
  if (tightest === undefined) {
    return
  }
  for (const [name, value] of Object.entries(rateLimitHeaders(tightest))) {
    context.header(name, value)
  }
  if (tightest.exceeded) {
    const whose = purses[spent.indexOf(tightest)]?.whose ?? ''
    throw new TooManyRequests(whose, budget, tightest)
  }
}

interface Purse {
  whose: string
  name: string | undefined
  limit: number | undefined
  shared: RateLimit | undefined
}

async function spend({ name, limit, shared }: Purse, now: Micros): Promise<Standing | undefined> {
  if (name === undefined || limit === undefined) {
    return undefined
  }
  const standing = standingOf(limit, counters.count(name, now), now)
  if (standing.exceeded || shared === undefined) {
    return standing
  }
  try {
    const { success } = await shared.limit({ key: name })
    return success ? standing : standingOf(limit, limit + 1, now)
  } catch {
    // Whoever counts for all is away: that must stop nobody.
    return standing
  }
}

/**
 * Where nothing else is set. Ten times what the busiest of Prefect's clients asks for; far below what would hurt other
 * workspaces. The rate limits of wrangler.toml say the same.
 */
const DEFAULTS = { HEADGATE_REQUESTS_PER_KEY: 3000, HEADGATE_REQUESTS_PER_WORKSPACE: 12_000 }

/** Undefined: there is none. */
function limitOf(name: keyof typeof DEFAULTS, bindings: Bindings): number | undefined {
  const text = bindings[name] ?? ''
  if (text === '' || text === 'off') {
    return text === '' ? DEFAULTS[name] : undefined
  }
  const limit = Number(text)
  if (!Number.isInteger(limit) || limit < 1) {
    throw new Error(`${name}: expected a whole number of requests, or 'off'; it is '${text}'`)
  }
  return limit
}

import type { Context } from 'hono'
import type { Micros } from '#core/time.ts'
import { networkOf } from '#domain/attempts.ts'
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

/** More than these are not counted in one period: whoever has so many addresses is not held by this. */
const MAX_NAMES = 50_000

/** What the present period has seen, counted in the isolate. */
class Counters {
  #period = 0
  readonly #counts = new Map<string, number>()

  count(name: string, now: Micros): number {
    const count = this.read(name, now) + 1
    if (count > 1 || this.#counts.size < MAX_NAMES) {
      this.#counts.set(name, count)
    }
    return count
  }

  read(name: string, now: Micros): number {
    const period = periodOf(now)
    if (period !== this.#period) {
      this.#period = period
      this.#counts.clear()
    }
    return this.#counts.get(name) ?? 0
  }
}

/** Only known callers are in it: nobody can fill it with inventions. */
const counters = new Counters()
/** By network: requests without a valid key, and sockets whose client has not said yet who it is. */
const strangers = new Counters()

/** Far more than people mistype, and too few to keep D1 busy with keys that do not exist. */
const STRANGE_REQUESTS = 300
/** As many agents and runs may stand behind one address. */
const NEW_SOCKETS = 1000

/**
 * Counts a request of nobody known to the network that it comes from. Where the platform names none, as on a single machine,
 * nothing is counted.
 * @throws TooManyRequests instead of what would have been answered
 */
export function spendStranger(context: Context<AppEnv>, kind: 'request' | 'socket'): void {
  const name = strangerName(context, kind)
  if (name !== undefined) {
    const now = Date.now() * 1000
    refuseTired(kind, strangers.count(name, now), now)
  }
}

/** Before a key is looked up that nobody here knows: a network that has sent too many wrong ones is not heard. @throws TooManyRequests */
export function requireUntired(context: Context<AppEnv>): void {
  const name = strangerName(context, 'request')
  if (name !== undefined) {
    const now = Date.now() * 1000
    refuseTired('request', strangers.read(name, now) + 1, now)
  }
}

function strangerName(context: Context<AppEnv>, kind: string): string | undefined {
  const address = context.req.header('CF-Connecting-IP')
  return address === undefined ? undefined : `${kind} ${networkOf(address)}`
}

function refuseTired(kind: 'request' | 'socket', used: number, now: Micros): void {
  const standing = standingOf(kind === 'request' ? STRANGE_REQUESTS : NEW_SOCKETS, used, now)
  if (standing.exceeded) {
    throw new TooManyRequests('Your network, without a valid key,', 'api', standing)
  }
}

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
  const spent = await spendBy(context.env, operation, caller, workspace, context.get('now'))
  if (spent === undefined) {
    return
  }
  for (const [name, value] of Object.entries(rateLimitHeaders(spent.standing))) {
    context.header(name, value)
  }
  requireRoom(spent)
}

/** The same for a socket, which has no headers any more once its client has said who it is. @throws TooManyRequests */
export async function spendSocket(
  bindings: Bindings,
  path: string,
  caller: Caller,
  workspace: Workspace,
): Promise<void> {
  const operation = { method: 'get', path }
  const spent = await spendBy(bindings, operation, caller, workspace, Date.now() * 1000)
  if (spent !== undefined) {
    requireRoom(spent)
  }
}

interface Spent {
  whose: string
  budget: Budget
  standing: Standing
}

function requireRoom({ whose, budget, standing }: Spent): void {
  if (standing.exceeded) {
    throw new TooManyRequests(whose, budget, standing)
  }
}

/** @returns the purse that ends first */
async function spendBy(
  env: Bindings,
  operation: { method: string; path: string },
  caller: Caller,
  workspace: Workspace | undefined,
  now: Micros,
): Promise<Spent | undefined> {
  const budget = budgetOf(operation.method, operation.path)
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
  return tightest === undefined
    ? undefined
    : { whose: purses[spent.indexOf(tightest)]?.whose ?? '', budget, standing: tightest }
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

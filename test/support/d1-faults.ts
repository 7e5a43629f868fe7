/**
 * Makes the real D1 fail, hang, fill up or lose its answers on command, for all that a Worker asks of it: tests in workerd set
 * `d1.faults`; the built server with these faults is `test/soak/faulty-server.ts`.
 *
 * Each number is the share of calls, from 0 to 1, that it befalls; several may be given: `{ fail: 0.2, hang: 0.05 }`.
 */
export interface D1Faults {
  /** Refused before anything is done, in one of the words that D1 has for being away. */
  fail?: number
  /** Done, and the answer is lost. */
  lose?: number
  /** Not answered until `hang_ms` are over or the faults change; then it fails, and nothing was done. */
  hang?: number
  /** Done, `slow_ms` late. */
  slow?: number
  /** Writes are refused as by a database that is full; reads go through. */
  full?: number
  /** 30,000 unless told, after which D1 gives up. */
  hang_ms?: number
  /** 500 unless told. */
  slow_ms?: number
  /** Concerned are only calls whose SQL holds this text. */
  only?: string
}

/** What now befalls calls, and how many calls came since the faults were set. */
export const d1 = {
  faults: {} as D1Faults,
  calls: 0,
  befallen: 0,
}

/** From now on; `{}` heals D1. Calls that hang end. */
export function setD1Faults(faults: D1Faults): void {
  d1.faults = faults
  d1.calls = 0
  d1.befallen = 0
}

const AWAY = [
  'D1_ERROR: Network connection lost.',
  'D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.',
  'D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.',
  'D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.',
  'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
  'D1_ERROR: D1 DB is overloaded. Too many requests queued.',
  'D1_ERROR: D1 DB reset because its code was updated.',
]
const FULL = 'D1_ERROR: Exceeded maximum DB size: SQLITE_FULL'

type Database = Pick<D1Database, 'prepare' | 'batch' | 'exec' | 'withSession'>
type Call = () => Promise<unknown>

/** The statement that stands behind one that was wrapped: a batch takes no others. */
const real = new WeakMap<object, { statement: D1PreparedStatement; query: string }>()

/** The bindings of a Worker or an object, with faults before its D1. */
export function withD1Faults<T extends { DB: D1Database }>(bindings: T): T {
  return { ...bindings, DB: faulty(bindings.DB) }
}

function faulty<T extends object>(database: T): T {
  return new Proxy(database, {
    get: (target, key) => {
      const { prepare, batch, exec, withSession } = target as unknown as Database
      switch (key) {
        case 'prepare':
          return (query: string) => faultyStatement(prepare.call(target, query), query)
        case 'batch':
          return async (statements: D1PreparedStatement[]) => {
            const parts = statements.map((each) => real.get(each) ?? { statement: each, query: '' })
            const all = parts.map(({ statement }) => statement)
            return await befall(parts.map(({ query }) => query).join(';'), () =>
              batch.call(target, all),
            )
          }
        case 'exec':
          return async (query: string) => await befall(query, () => exec.call(target, query))
        case 'withSession':
          return (constraint: string) => faulty(withSession.call(target, constraint))
        default: {
          const member: unknown = Reflect.get(target, key)
          return typeof member === 'function' ? member.bind(target) : member
        }
      }
    },
  })
}

function faultyStatement(statement: D1PreparedStatement, query: string): D1PreparedStatement {
  const wrapped = new Proxy(statement, {
    get: (target, key) => {
      if (key === 'bind') {
        return (...values: unknown[]) => faultyStatement(target.bind(...values), query)
      }
      const member: unknown = Reflect.get(target, key)
      return typeof member !== 'function'
        ? member
        : async (...values: unknown[]) =>
            await befall(query, async () => await (member as Method).call(target, ...values))
    },
  })
  real.set(wrapped, { statement, query })
  return wrapped
}

type Method = (...values: unknown[]) => Promise<unknown>

async function befall(query: string, call: Call): Promise<unknown> {
  const { faults } = d1
  d1.calls += 1
  if (faults.only !== undefined && !query.includes(faults.only)) {
    return await call()
  }
  let left = Math.random()
  const isBefallen = (share: number | undefined) => {
    left -= share ?? 0
    d1.befallen += left < 0 ? 1 : 0
    return left < 0
  }
  if (isBefallen(faults.fail)) {
    throw new Error(AWAY[Math.floor(Math.random() * AWAY.length)])
  }
  if (/\b(insert|update|delete)\b/i.test(query) && isBefallen(faults.full)) {
    throw new Error(FULL)
  }
  if (isBefallen(faults.hang)) {
    await sleepUnlessChanged(faults.hang_ms ?? 30_000)
    throw new Error(AWAY[1])
  }
  if (isBefallen(faults.slow)) {
    await sleepUnlessChanged(faults.slow_ms ?? 500)
    return await call()
  }
  if (isBefallen(faults.lose)) {
    await call()
    throw new Error(AWAY[0])
  }
  return await call()
}

/** In small steps, since a promise of another request would not wake this one. */
async function sleepUnlessChanged(milliseconds: number): Promise<void> {
  const { faults } = d1
  const STEP_MS = 50
  for (let slept = 0; slept < milliseconds && d1.faults === faults; slept += STEP_MS) {
    await new Promise((resolve) => {
      setTimeout(resolve, Math.min(STEP_MS, milliseconds - slept))
    })
  }
}

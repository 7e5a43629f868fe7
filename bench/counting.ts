import { AsyncLocalStorage } from 'node:async_hooks'

// Runs inside the Worker (see `counting-server.ts`): counts what Cloudflare bills, without a line in the Worker itself.

/** What was done since the last reset. */
export interface Counts {
  worker_requests: number
  /** Calls, alarms and opened sockets of objects. */
  object_requests: number
  /** Messages that came over sockets; twenty are a request. */
  object_messages: number
  object_rows_read: number
  object_rows_written: number
  d1_rows_read: number
  d1_rows_written: number
  /** Seconds during which an object had something to do, summed over the objects. */
  object_seconds: number
  /** By where they come from: `D1 INSERT flow_run`, `WorkPool UPDATE run`, … */
  written_by_table: Record<string, number>
  /** By what was asked of the Worker or of an object: `WorkPool.claim`, `alarm of WorkPool`, … */
  written_by_call: Record<string, number>
  requests_by_call: Record<string, number>
}

let counts = newCounts()
const call = new AsyncLocalStorage<string>()
/**
 * Statements whose rows are not counted yet, by object: a cursor knows them once it has been read, and only its own object may
 * ask it.
 */
const cursors = new WeakMap<object, { cursor: Cursor; table: string; by: string }[]>()
const classOfStorage = new WeakMap<object, string>()
const busy = new WeakMap<object, { open: number; since: number }>()
let isPatched = false

interface Cursor {
  rowsRead: number
  rowsWritten: number
}
interface Meta {
  rows_read?: number
  rows_written?: number
}
type Method = (this: unknown, ...args: never[]) => unknown
type ObjectClass = new (state: State, bindings: unknown) => object
interface State {
  storage: { sql: { exec: Method }; setAlarm: Method }
  waitUntil: (promise: Promise<unknown>) => void
}

/** What was counted so far; begins anew. */
export function takeCounts(): Counts {
  const taken = counts
  counts = newCounts()
  return taken
}

/** Counts a request to the Worker. */
export async function countRequest<T>(request: Request, answer: () => Promise<T>): Promise<T> {
  counts.worker_requests += 1
  const name = `${request.method} ${routeOf(new URL(request.url).pathname)}`
  add(counts.requests_by_call, name, 1)
  return await call.run(name, answer)
}

/** The class of an object, with its calls, its rows and its time counted. */
export function counting(original: ObjectClass, name: string): ObjectClass {
  const counted = class extends original {
    constructor(state: State, bindings: unknown) {
      patchStorage(state)
      classOfStorage.set(state.storage, name)
      classOfStorage.set(state.storage.sql, name)
      const waitUntil = state.waitUntil.bind(state)
      state.waitUntil = (promise: Promise<unknown>) => {
        waitUntil(promise)
        keepBusy(state, promise)
      }
      super(state, bindings)
      states.set(this, state)
    }
  }
  for (const key of Object.getOwnPropertyNames(original.prototype)) {
    const method = (original.prototype as Record<string, unknown>)[key]
    if (key !== 'constructor' && typeof method === 'function') {
      const replacement = countedMethod(method as Method, name, key)
      Object.defineProperty(counted.prototype, key, {
        value: replacement,
        writable: true,
        configurable: true,
      })
    }
  }
  return counted
}

const states = new WeakMap<object, State>()

function countedMethod(method: Method, className: string, key: string): Method {
  return function (this: unknown, ...args: never[]) {
    const name = key === 'alarm' ? `alarm of ${className}` : `${className}.${key}`
    // A socket that closes is no request.
    if (key === 'webSocketMessage') {
      counts.object_messages += 1
    } else if (key !== 'webSocketClose' && key !== 'webSocketError') {
      counts.object_requests += 1
    }
    add(counts.requests_by_call, name, 1)
    const result = call.run(name, () => method.apply(this, args))
    const state = states.get(this as object)
    if (state !== undefined) {
      keepBusy(state, Promise.resolve(result))
    }
    return result
  }
}

/** An object is billed for the time during which something goes on in it, once, however much it is. */
function keepBusy(object: State, work: Promise<unknown>): void {
  const entry = busy.get(object) ?? { open: 0, since: 0 }
  busy.set(object, entry)
  if (entry.open === 0) {
    entry.since = performance.now()
  }
  entry.open += 1
  const end = () => {
    entry.open -= 1
    settleCursors(object.storage.sql)
    if (entry.open === 0) {
      counts.object_seconds += (performance.now() - entry.since) / 1000
    }
  }
  work.then(end, end)
}

function patchStorage({ storage }: State): void {
  if (isPatched) {
    return
  }
  isPatched = true
  const sqlPrototype = Object.getPrototypeOf(storage.sql) as { exec: Method }
  const { exec } = sqlPrototype
  sqlPrototype.exec = function (this: object, query: string, ...values: never[]) {
    const cursor = exec.call(this, query as never, ...values) as Cursor
    const owner = classOfStorage.get(this) ?? 'object'
    const own = cursors.get(this) ?? []
    cursors.set(this, own)
    own.push({ cursor, table: `${owner} ${tableOf(query)}`, by: call.getStore() ?? owner })
    if (own.length >= 500) {
      settleCursors(this)
    }
    return cursor
  } as Method
  const storagePrototype = Object.getPrototypeOf(storage) as Record<string, Method>
  for (const key of ['setAlarm', 'deleteAlarm']) {
    const original = storagePrototype[key]
    storagePrototype[key] = function (this: unknown, ...args: never[]) {
      const owner = classOfStorage.get(this as object) ?? 'object'
      counts.object_rows_written += 1
      noteWritten(`${owner} ${key}`, call.getStore() ?? owner, 1)
      return original?.apply(this, args)
    }
  }
}

function settleCursors(sql: object): void {
  const settled = cursors.get(sql) ?? []
  cursors.delete(sql)
  for (const { cursor, table, by } of settled) {
    counts.object_rows_read += cursor.rowsRead
    counts.object_rows_written += cursor.rowsWritten
    noteWritten(table, by, cursor.rowsWritten)
  }
}

/** Counts what D1 says of its statements, for all who ask it. */
export function countDatabase(database: { prepare: (query: string) => object }): void {
  const statement = database.prepare('SELECT 1') as { dbSession: object }
  const prototype = Object.getPrototypeOf(statement.dbSession) as Record<string, Method | undefined>
  if (prototype['isCounted'] !== undefined) {
    return
  }
  prototype['isCounted'] = () => true
  const send = prototype['_sendOrThrow']
  if (send === undefined) {
    throw new Error(
      'this release of workerd asks D1 in another way; the rows of D1 cannot be counted',
    )
  }
  prototype['_sendOrThrow'] = async function (this: unknown, ...args) {
    const by = call.getStore() ?? 'elsewhere'
    const answer = (await send.apply(this, args)) as { meta?: Meta } | { meta?: Meta }[]
    const queries = [args[1] as string | string[] | undefined].flat()
    for (const [index, { meta }] of [answer].flat().entries()) {
      counts.d1_rows_read += meta?.rows_read ?? 0
      counts.d1_rows_written += meta?.rows_written ?? 0
      noteWritten(`D1 ${tableOf(queries[index] ?? queries[0] ?? '')}`, by, meta?.rows_written ?? 0)
    }
    return answer
  }
}

function noteWritten(table: string, by: string, rows: number): void {
  if (rows > 0) {
    add(counts.written_by_table, table, rows)
    add(counts.written_by_call, by, rows)
  }
}

function add(to: Record<string, number>, key: string, count: number): void {
  to[key] = (to[key] ?? 0) + count
}

function tableOf(query: string): string {
  const found = /\b(INSERT|UPDATE|DELETE|REPLACE)\b(?: OR \w+)?(?: INTO| FROM)? +["`]?(\w+)/i.exec(
    query,
  )
  return found === null ? 'other' : `${found[1]?.toUpperCase()} ${found[2]}`
}

/** A path with its ids and names left out. */
function routeOf(path: string): string {
  return path
    .replace(/^\/api\/(?:accounts\/[^/]+\/workspaces\/[^/]+\/)?/, '/')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '{id}')
    .replace(/^\/work_pools\/[^/]+/, '/work_pools/{name}')
}

function newCounts(): Counts {
  return {
    worker_requests: 0,
    object_requests: 0,
    object_messages: 0,
    object_rows_read: 0,
    object_rows_written: 0,
    d1_rows_read: 0,
    d1_rows_written: 0,
    object_seconds: 0,
    written_by_table: {},
    written_by_call: {},
    requests_by_call: {},
  }
}

import { drizzle, type DrizzleD1Database } from 'drizzle-orm/d1'
import type { AuditTrail } from '#domain/audit.ts'

/** The bindings of wrangler.toml. */
export type Bindings = Pick<
  Env,
  | 'DB'
  | 'WORK_POOL'
  | 'EVENT_STREAM'
  | 'EVENT_HUB'
  | 'LOG_SHARD'
  | 'CONCURRENCY_LIMITS'
  | 'TASK_QUEUE'
  | 'JOBS'
  | 'DELETION'
  | 'ASSETS'
> & {
  /** Signs run tokens, seals block documents. A Worker secret in production. */
  HEADGATE_SECRET: string
  /** Former values of that secret, apart by spaces: what they sealed is still read. */
  HEADGATE_PREVIOUS_SECRETS?: string
  /** Names under which this server is reached, apart by commas: notifications are not sent there. */
  HEADGATE_OWN_HOSTS?: string
  /** Origins whose pages may call the API with a key, apart by spaces or commas. None: no page of another origin may. */
  HEADGATE_CORS_ORIGINS?: string
  /** How many requests of each kind (`domain/rate-limit`) a key has in 10 seconds, and a workspace; `off`: any number. */
  HEADGATE_REQUESTS_PER_KEY?: string
  HEADGATE_REQUESTS_PER_WORKSPACE?: string
  /** The same limits for all isolates of a place; not there on a single machine. */
  REQUESTS_OF_KEYS?: RateLimit
  REQUESTS_OF_WORKSPACES?: RateLimit
  /** The addresses of this server in browsers, apart by spaces; links in mails go to the first. None: that of the request. */
  HEADGATE_URL?: string
  /** Who may sign up: `domain/sign-up`. */
  HEADGATE_SIGN_UP?: string
  /** What GitHub and Google gave to this server to ask them who somebody is; each pair or nothing. Secrets are Worker secrets. */
  HEADGATE_GITHUB_ID?: string
  HEADGATE_GITHUB_SECRET?: string
  HEADGATE_GOOGLE_ID?: string
  HEADGATE_GOOGLE_SECRET?: string
  /** The plan of accounts that have none of their own (`domain/plans`), and what of it differs, as JSON. */
  HEADGATE_PLAN?: string
  HEADGATE_LIMITS?: string
  /** How mail leaves: `operations/send-mail`. */
  MAIL?: SendEmail
  HEADGATE_MAIL_FROM?: string
  HEADGATE_MAIL_URL?: string
  /** The header that proves to HEADGATE_MAIL_URL who sends, `Name: value`. A Worker secret. */
  HEADGATE_MAIL_HEADER?: string
  HEADGATE_MAIL_BODY?: string
  /** Only where worker/local/runtime runs the Worker: mails are `kept`, `told` in the terminal, or `shown` on a page as well. */
  HEADGATE_LOCAL_OUTBOX?: string
  /** Opens the service's metrics to who runs it; without it they are not there. A Worker secret. */
  HEADGATE_OPERATOR_KEY?: string
  /** `true` lets notifications go to private addresses. For tests. */
  HEADGATE_ALLOW_PRIVATE_NOTIFICATIONS?: string
}

/**
 * The handle of one workspace: the only way to storage and to objects, so that a query without a workspace does not
 * compile. Every exported function of `storage/` takes it first and puts `workspace.id` into each query's condition.
 */
export interface Workspace {
  readonly id: string
  readonly account_id: string
  readonly name: string
  readonly region: string | null
  readonly event_streams: number
  readonly log_shards: number
  /** The database that holds the workspace's rows, and the name of its binding. */
  readonly store: DrizzleD1Database
  readonly store_name: string
  /** The same database, for statements that drizzle can't write. */
  readonly database: D1Database
  readonly bindings: Bindings
  /** Who asks for what is done by this handle: there where that leaves an entry in the audit log (storage/audit). */
  readonly trail?: AuditTrail
}

export interface WorkspaceRow {
  id: string
  account_id: string
  name: string
  region: string | null
  event_streams: number
  log_shards: number
  store: string
}

/** Opens the handle of a workspace that the control store has. */
export function openWorkspace(bindings: Bindings, row: WorkspaceRow): Workspace {
  const store = databaseOf(bindings, row.store)
  return { ...row, store: drizzle(store), store_name: row.store, database: store, bindings }
}

/** A store by the name of its binding. */
export function databaseOf(bindings: Bindings, name: string): D1Database {
  const store = (bindings as unknown as Record<string, D1Database | undefined>)[name]
  if (store === undefined) {
    throw new Error(`the store '${name}', where workspaces lie, has no binding`)
  }
  return store
}

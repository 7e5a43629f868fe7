import { formatTimestamp, type Micros } from '#core/time.ts'
import type { PlainStatement } from './access.ts'

// People in the control store, where better-auth's own queries don't reach. Takes the database: people belong to no workspace.

/** Who has more of them ends all. */
const SHOWN_SESSIONS = 50

export interface Session {
  user_id: string
  name: string
  email: string
  session_id: string
  /** Milliseconds. */
  expires: number
}

/** The session with that token, also one that has expired. */
export async function findSession(db: D1Database, token: string): Promise<Session | undefined> {
  const row = await db
    .prepare(
      `SELECT session.id AS session_id, session.expires, user.id AS user_id, user.name, user.email
       FROM session JOIN user ON user.id = session.user_id WHERE session.token = ?`,
    )
    .bind(token)
    .first<Session>()
  return row ?? undefined
}

export interface OpenSession {
  id: string
  token: string
  /** Milliseconds, as the next two. */
  created: number
  updated: number
  ip_address: string | null
  user_agent: string | null
}

/** The sessions of a person that have not ended, the one last used first. */
export async function listSessions(
  db: D1Database,
  userId: string,
  now: Micros,
): Promise<OpenSession[]> {
  const { results } = await db
    .prepare(
      `SELECT id, token, created, updated, ip_address, user_agent FROM session
       WHERE user_id = ? AND expires > ? ORDER BY updated DESC, id DESC LIMIT ${SHOWN_SESSIONS}`,
    )
    .bind(userId, Math.floor(now / 1000))
    .all<OpenSession>()
  return results
}

/** By what a person can sign in: `credential` is a password. */
export async function listLogins(
  db: D1Database,
  userId: string,
): Promise<{ id: string; provider_id: string }[]> {
  const { results } = await db
    .prepare('SELECT id, provider_id FROM login WHERE user_id = ? ORDER BY provider_id')
    .bind(userId)
    .all<{ id: string; provider_id: string }>()
  return results
}

export interface KnownPasskey {
  id: string
  name: string | null
  /** Milliseconds. */
  created: number
}

export async function listPasskeys(db: D1Database, userId: string): Promise<KnownPasskey[]> {
  const { results } = await db
    .prepare(
      'SELECT id, name, coalesce(created, 0) AS created FROM passkey WHERE user_id = ? ORDER BY id',
    )
    .bind(userId)
    .all<KnownPasskey>()
  return results
}

export async function hasSecondFactor(db: D1Database, userId: string): Promise<boolean> {
  const row = await db
    .prepare('SELECT 1 AS one FROM user WHERE id = ? AND two_factor_enabled = 1')
    .bind(userId)
    .first()
  return row !== null
}

export async function findPersonByEmail(
  db: D1Database,
  email: string,
): Promise<{ id: string; name: string } | undefined> {
  const row = await db
    .prepare('SELECT id, name FROM user WHERE email = ?')
    .bind(email.toLowerCase())
    .first<{ id: string; name: string }>()
  return row ?? undefined
}

/** The accounts that a person belongs to. */
export async function listAccountIds(db: D1Database, userId: string): Promise<string[]> {
  const { results } = await db
    .prepare('SELECT account_id FROM account_member WHERE user_id = ? ORDER BY account_id')
    .bind(userId)
    .all<{ account_id: string }>()
  return results.map((row) => row.account_id)
}

/** What is asked about a person before it gets an account of its own. */
export async function hasAnAccount(db: D1Database, userId: string): Promise<boolean> {
  const row = await db
    .prepare('SELECT 1 AS one FROM account_member WHERE user_id = ? LIMIT 1')
    .bind(userId)
    .first()
  return row !== null
}

/** Whether somebody with that address is invited to an account, and has not come yet. */
export async function isInvited(db: D1Database, email: string, now: Micros): Promise<boolean> {
  const row = await db
    .prepare(
      `SELECT 1 AS one FROM invitation
       WHERE email = ? AND accepted IS NULL AND revoked IS NULL AND expires > ? LIMIT 1`,
    )
    .bind(email.toLowerCase(), formatTimestamp(now))
    .first()
  return row !== null
}

export interface NewPerson {
  id: string
  login_id: string
  name: string
  email: string
  /** The hash that the password is proved by. */
  password: string
}

/** Makes a person with a password, whose address is taken as proved. */
export function insertPersonStatements(person: NewPerson, now: Micros): PlainStatement[] {
  const time = Math.floor(now / 1000)
  return [
    {
      sql: `INSERT INTO user (id, name, email, email_verified, created, updated) VALUES (?, ?, ?, 1, ?, ?)`,
      values: [person.id, person.name, person.email.toLowerCase(), time, time],
    },
    {
      sql: `INSERT INTO login (id, user_id, provider_id, account_id, password, created, updated)
         VALUES (?, ?, 'credential', ?, ?, ?, ?)`,
      values: [person.login_id, person.id, person.id, person.password, time, time],
    },
  ]
}

/** Makes a person an owner of the account and of all its workspaces. */
export function insertOwnerStatements(
  accountId: string,
  userId: string,
  now: Micros,
): PlainStatement[] {
  const time = formatTimestamp(now)
  return [
    {
      sql: `INSERT INTO account_member (account_id, user_id, role, created) VALUES (?, ?, 'owner', ?)
         ON CONFLICT DO UPDATE SET role = 'owner'`,
      values: [accountId, userId, time],
    },
    {
      sql: `INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created)
         SELECT id, 'user', ?, 'owner', ? FROM workspace WHERE account_id = ?
         ON CONFLICT DO UPDATE SET role = 'owner'`,
      values: [userId, time, accountId],
    },
  ]
}

import { formatTimestamp, type Micros } from '#core/time.ts'
import type { PlainStatement } from './access.ts'

// The one-time link that makes the first owner of an account, in the control store.

export interface SetupLink {
  account_id: string
  account_name: string
}

/** The statements that make a link the only one of its account. */
export function insertSetupLinkStatements(
  link: { token_hash: string; account_id: string; expires: string },
  now: Micros,
): PlainStatement[] {
  return [
    { sql: 'DELETE FROM setup_link WHERE account_id = ?', values: [link.account_id] },
    {
      sql: 'INSERT INTO setup_link (token_hash, account_id, created, expires) VALUES (?, ?, ?, ?)',
      values: [link.token_hash, link.account_id, formatTimestamp(now), link.expires],
    },
  ]
}

/** The link with that hash, when it is good: not used, not expired. */
export async function findSetupLink(
  db: D1Database,
  tokenHash: string,
  now: Micros,
): Promise<SetupLink | undefined> {
  const row = await db
    .prepare(
      `SELECT account.id AS account_id, account.name AS account_name
       FROM setup_link JOIN account ON account.id = setup_link.account_id
       WHERE token_hash = ? AND used IS NULL AND expires > ?`,
    )
    .bind(tokenHash, formatTimestamp(now))
    .first<SetupLink>()
  return row ?? undefined
}

/** Takes the link, if it is good, so that nobody else can; says whether it was. */
export async function takeSetupLink(
  db: D1Database,
  tokenHash: string,
  now: Micros,
): Promise<boolean> {
  const time = formatTimestamp(now)
  const { meta } = await db
    .prepare(
      'UPDATE setup_link SET used = ?1 WHERE token_hash = ?2 AND used IS NULL AND expires > ?1',
    )
    .bind(time, tokenHash)
    .run()
  return meta.changes > 0
}

/** Gives back a link that was taken in vain. */
export async function returnSetupLink(db: D1Database, tokenHash: string): Promise<void> {
  await db.prepare('UPDATE setup_link SET used = NULL WHERE token_hash = ?').bind(tokenHash).run()
}

/** Whether the account has somebody who can sign in and do everything. */
export async function hasOwner(db: D1Database, accountId: string): Promise<boolean> {
  const row = await db
    .prepare(
      `SELECT 1 AS one FROM account_member JOIN user ON user.id = account_member.user_id
       WHERE account_id = ? AND role = 'owner' LIMIT 1`,
    )
    .bind(accountId)
    .first()
  return row !== null
}

import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import { hashApiKey, type PlainStatement } from '#storage/access.ts'
import { newId } from '#storage/new-id.ts'
import { insertOwnerStatements, insertPersonStatements } from '#storage/people.ts'
import {
  findSetupLink,
  insertSetupLinkStatements,
  returnSetupLink,
  takeSetupLink,
  type SetupLink,
} from '#storage/setup-links.ts'

/** Who is handed a link has this long. */
const LINK_MICROS = 7 * 24 * 3600 * MICROS_PER_SECOND
const TOKEN_BYTES = 32

/** Plans the one-time link by which somebody becomes the account's owner; it takes the place of an earlier one. */
export async function planSetupLink(
  accountId: string,
  now: Micros,
): Promise<{ path: string; statements: PlainStatement[] }> {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
  const token = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const expires = formatTimestamp(now + LINK_MICROS)
  return {
    path: `/api/auth-pages/set-up?token=${token}`,
    statements: insertSetupLinkStatements(
      { token_hash: await hashApiKey(token), account_id: accountId, expires },
      now,
    ),
  }
}

/** What the link opens; undefined when it was used, has expired or never was. */
export async function readSetupLink(
  db: D1Database,
  token: string,
  now: Micros,
): Promise<SetupLink | undefined> {
  return await findSetupLink(db, await hashApiKey(token), now)
}

export type Owner =
  /** Somebody who is signed in. */
  { user_id: string } | { name: string; email: string; password_hash: string }

/** Makes the owner that a link is for, once. Who was handed the link is trusted with the address that is given. */
export async function setUpOwner(
  db: D1Database,
  token: string,
  owner: Owner,
  now: Micros,
): Promise<'done' | 'link_is_gone' | 'address_is_taken'> {
  const hash = await hashApiKey(token)
  const link = await findSetupLink(db, hash, now)
  if (link === undefined || !(await takeSetupLink(db, hash, now))) {
    return 'link_is_gone'
  }
  const id = 'user_id' in owner ? owner.user_id : newId(now)
  const made =
    'user_id' in owner
      ? []
      : insertPersonStatements(
          {
            id,
            login_id: newId(now),
            name: owner.name,
            email: owner.email,
            password: owner.password_hash,
          },
          now,
        )
  const statements = [...made, ...insertOwnerStatements(link.account_id, id, now)]
  try {
    await db.batch(statements.map(({ sql, values }) => db.prepare(sql).bind(...values)))
    return 'done'
  } catch (error) {
    await returnSetupLink(db, hash)
    if (/UNIQUE constraint failed: user\.email/.test(String(error))) {
      return 'address_is_taken'
    }
    throw error
  }
}

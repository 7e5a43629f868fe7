import type { Micros } from '#core/time.ts'
import { maySignUpAlone, type SignUpPolicy } from '#domain/sign-up.ts'
import { hasAnAccount, insertOwnerStatements, isInvited } from '#storage/people.ts'
import { planAccount } from './create-workspace.ts'

interface Person {
  id: string
  name: string
  email: string
}

/**
 * Gives a person that belongs to no account one of its own with a workspace, in one transaction, where people may sign up
 * alone. Asked at each sign-in, so that nobody who has proved the address is left without, whatever failed before; who is
 * invited somewhere gets none. Its id is the person's: made twice at a time, the second fails whole.
 */
export async function giveOwnAccount(
  db: D1Database,
  person: Person,
  policy: SignUpPolicy,
  now: Micros,
): Promise<void> {
  if (!maySignUpAlone(policy, person.email) || (await hasAnAccount(db, person.id))) {
    return
  }
  if (await isInvited(db, person.email, now)) {
    return
  }
  const accountName = person.name.replaceAll(/[/%&><\p{Cc}]+/gu, ' ').trim() || person.id
  const { statements } = planAccount(
    person.id,
    { account_name: accountName, workspace_name: 'default' },
    now,
  )
  const owned = insertOwnerStatements(person.id, person.id, now)
  await db
    .batch([...statements, ...owned].map(({ sql, values }) => db.prepare(sql).bind(...values)))
    .catch((error: unknown) => {
      if (!/UNIQUE constraint failed: account\.id/.test(String(error))) {
        throw error
      }
    })
}

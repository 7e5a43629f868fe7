import type { Micros } from '#core/time.ts'
import type { TrailIn } from '#domain/audit.ts'
import { maySignUpAlone, type SignUpPolicy } from '#domain/sign-up.ts'
import { acceptInvitation, listMyInvitations } from '#storage/invitations.ts'
import { hasAnAccount, insertOwnerStatements, isInvited } from '#storage/people.ts'
import { planAccount } from './create-workspace.ts'

interface Person {
  id: string
  name: string
  email: string
}

/**
 * Gives a person that belongs to no account its place: what it is invited to, or where people may sign up alone an account of
 * its own with a workspace, in one transaction. Asked at each sign-in, so that nobody who has proved the address is left
 * without, whatever failed before. Its id is the person's: made twice at a time, the second fails whole.
 */
export async function giveOwnAccount(
  db: D1Database,
  person: Person,
  policy: SignUpPolicy,
  trailIn: TrailIn,
  now: Micros,
): Promise<void> {
  if (await hasAnAccount(db, person.id)) {
    return
  }
  if (await isInvited(db, person.email, now)) {
    const invitations = await listMyInvitations(db, person.id, now)
    await Promise.all(
      invitations.map(({ id }) => acceptInvitation(db, person.id, id, trailIn, now)),
    )
    return
  }
  if (!maySignUpAlone(policy, person.email)) {
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

import { waitUntil } from 'cloudflare:workers'
import type { Micros } from '#core/time.ts'
import type { AuditOutcome } from '#core/wire/audit.ts'
import type { AuditTrail, TrailIn } from '#domain/audit.ts'
import { insertAuditEntries, newAuditEntry } from '#storage/audit.ts'
import { findPersonByEmail, listAccountIds } from '#storage/people.ts'
import { report } from '../operations/report.ts'
import { originOf } from './audit-trail.ts'

interface Person {
  id: string
  name: string
}

/** Who signs in or up, for what that does in the accounts that it belongs to. */
export function trailOfPerson(
  person: Person,
  headers: Headers | undefined,
  operation: string,
  now: Micros,
): TrailIn {
  return (account_id, workspace_id): AuditTrail => ({
    now,
    account_id,
    workspace_id,
    actor_kind: 'user',
    actor_id: person.id,
    actor_name: person.name,
    key_id: null,
    key_hint: null,
    ...originOf(headers ?? new Headers()),
    operation,
    request_id: null,
  })
}

/** Tells the accounts of a person that it signs in: before its session is made, so that there is none without its entry. */
export async function recordSignIn(
  db: D1Database,
  person: Person,
  trailIn: TrailIn,
  outcome: AuditOutcome = 'done',
): Promise<void> {
  const accounts = await listAccountIds(db, person.id)
  const change = {
    object_kind: 'user',
    object_id: person.id,
    object_name: person.name,
    before: null,
    after: null,
  }
  if (accounts.length > 0) {
    const entries = accounts.map((id) => newAuditEntry(trailIn(id, null), change, outcome))
    await insertAuditEntries(db, entries)
  }
}

/** The same of a wrong password; never waited for, since how long it takes would say whose address has an account. */
export function recordRefusedSignIn(
  db: D1Database,
  email: string,
  headers: Headers | undefined,
  now: Micros,
): void {
  const record = async (): Promise<void> => {
    const person = await findPersonByEmail(db, email)
    if (person !== undefined) {
      const trailIn = trailOfPerson(person, headers, 'sign_in', now)
      await recordSignIn(db, person, trailIn, 'refused')
    }
  }
  waitUntil(record().catch((error: unknown) => report('a refused sign-in was not recorded', error)))
}

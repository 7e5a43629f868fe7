import * as z from 'zod'
import { objectName } from './common.ts'
import { member } from './member.ts'

/** What each allows, `docs/security.md` says. */
const role = z.enum(['owner', 'admin', 'member', 'billing'])

/** An account as one of its people sees it. */
export const myAccount = z
  .object({
    account_id: z.string(),
    account_name: z.string(),
    account_handle: z.string(),
    /** What the caller is in it. */
    role,
    created: z.string(),
  })
  .meta({ id: 'MyAccount' })
export type MyAccount = z.infer<typeof myAccount>

export const accountUpdate = z.strictObject({ name: objectName }).meta({ id: 'AccountUpdate' })

export const accountMember = member.omit({ role: true }).extend({ role }).meta({
  id: 'AccountMember',
})
export type AccountMember = z.infer<typeof accountMember>

export const accountMemberUpdate = z.strictObject({ role }).meta({ id: 'AccountMemberUpdate' })

export const accountTransfer = z
  .strictObject({
    /** A member of the account. */
    user_id: z.string(),
  })
  .meta({ id: 'AccountTransfer' })

const counts = {
  flow_runs: z.int(),
  task_runs: z.int(),
  events: z.int(),
  log_bytes: z.int(),
}

/** What is used in the present month. */
export const accountUsage = z
  .object({
    /** Its first day. */
    from: z.string(),
    /** Also of workspaces that were deleted since. */
    ...counts,
    workspaces: z.array(z.object({ id: z.string(), name: z.string(), ...counts })),
  })
  .meta({ id: 'AccountUsage' })
export type AccountUsage = z.infer<typeof accountUsage>

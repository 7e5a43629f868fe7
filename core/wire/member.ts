import * as z from 'zod'
import { timestamp } from './common.ts'

const role = z.enum(['owner', 'developer', 'runner', 'viewer'])
/** As people write it; compared in small letters. */
const email = z.email().max(254)

export const member = z
  .object({
    id: z.string(),
    created: z.string(),
    name: z.string(),
    email: z.string(),
    role,
  })
  .meta({ id: 'Member' })
export type Member = z.infer<typeof member>

export const memberUpdate = z.strictObject({ role }).meta({ id: 'MemberUpdate' })

export const invitation = z
  .object({
    id: z.string(),
    created: z.string(),
    email: z.string(),
    role,
    created_by: z.string(),
    expires: z.string(),
    accepted: z.string().nullable(),
    revoked: z.string().nullable(),
  })
  .meta({ id: 'Invitation' })
export type Invitation = z.infer<typeof invitation>

export const invitationCreate = z
  .strictObject({
    email,
    role,
    /** Default: a week from now. */
    expires: timestamp.nullish(),
  })
  .meta({ id: 'InvitationCreate' })
export type InvitationCreate = z.infer<typeof invitationCreate>

/** An invitation as who is invited sees it. */
export const myInvitation = invitation
  .pick({ id: true, created: true, role: true, expires: true })
  .extend({ account_name: z.string(), workspace_name: z.string() })
  .meta({ id: 'MyInvitation' })
export type MyInvitation = z.infer<typeof myInvitation>

import * as z from 'zod'
import { json, timestamp } from './common.ts'

/** Who did it: a person, a key of nobody's, a service account, an agent, or the code of a run (by its token). */
const auditActorKind = z.enum(['user', 'api_key', 'service_account', 'agent', 'run'])
export type AuditActorKind = z.infer<typeof auditActorKind>

/** `refused`: only of signing in; what else is refused leaves no entry. */
const auditOutcome = z.enum(['done', 'refused'])
export type AuditOutcome = z.infer<typeof auditOutcome>

/** The fields that changed, as they were or are; long values are cut, secret ones masked. */
const fields = z.record(z.string(), json).nullable()

const auditEntry = z
  .object({
    id: z.string(),
    occurred: z.string(),
    account_id: z.string(),
    /** Null: it is about the account, or about a person of it. */
    workspace_id: z.string().nullable(),
    actor_kind: auditActorKind,
    /** Of a person, a service account, a key or a flow run. */
    actor_id: z.string().nullable(),
    /** As it was called then. */
    actor_name: z.string().nullable(),
    /** The key that was used; null with a session or a run's token. */
    key_id: z.string().nullable(),
    key_hint: z.string().nullable(),
    /** Where the request came from, if the network said so. */
    address: z.string().nullable(),
    user_agent: z.string().nullable(),
    /** The operation's id in the API's description, as `patch_variables_id`; `sign_in`. */
    operation: z.string(),
    outcome: auditOutcome,
    object_kind: z.string(),
    object_id: z.string().nullable(),
    object_name: z.string().nullable(),
    /** Null of what was made. */
    before: fields,
    /** Null of what was deleted. */
    after: fields,
    /** As the answer's header `X-Request-Id`. */
    request_id: z.string().nullable(),
  })
  .meta({ id: 'AuditEntry' })
export type AuditEntry = z.infer<typeof auditEntry>

const anyText = z.strictObject({ any_: z.array(z.string()).nullish() }).nullish()

const auditFilter = z
  .strictObject({
    operator: z.enum(['and_', 'or_']).optional(),
    occurred: z
      .strictObject({ before_: timestamp.nullish(), after_: timestamp.nullish() })
      .nullish(),
    actor_kind: z.strictObject({ any_: z.array(auditActorKind).nullish() }).nullish(),
    actor_id: anyText,
    key_id: anyText,
    object_kind: anyText,
    object_id: anyText,
    operation: anyText,
    outcome: z.strictObject({ any_: z.array(auditOutcome).nullish() }).nullish(),
    request_id: anyText,
  })
  .meta({ id: 'AuditFilter' })
export type AuditFilter = z.infer<typeof auditFilter>

/** Entries at most on one page. */
export const MAX_AUDIT_PAGE = 200

export const auditQuery = z
  .strictObject({
    audit: auditFilter.nullish(),
    limit: z.int().min(1).max(MAX_AUDIT_PAGE).nullish(),
    /** `next_cursor` of the page before. */
    cursor: z.string().nullish(),
  })
  .meta({ id: 'AuditQuery' })
export type AuditQuery = z.infer<typeof auditQuery>

export const auditPage = z
  .object({
    /** The newest first. */
    entries: z.array(auditEntry),
    next_cursor: z.string().nullable(),
  })
  .meta({ id: 'AuditPage' })
export type AuditPage = z.infer<typeof auditPage>

/** What an export is limited to; each may be left out. */
export const auditExportQuery = z.object({
  after: timestamp.optional(),
  before: timestamp.optional(),
  actor_id: z.string().optional(),
  object_kind: z.string().optional(),
  object_id: z.string().optional(),
  operation: z.string().optional(),
})
export type AuditExportQuery = z.input<typeof auditExportQuery>

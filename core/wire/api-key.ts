import * as z from 'zod'
import { objectName, timestamp, uuid } from './common.ts'

/** What a caller may do; what each means, `docs/security.md` says. */
const permission = z.enum(['see', 'run', 'write', 'secrets', 'serve', 'manage', 'audit'])
const scopes = z.array(permission).min(1)

export const apiKey = z
  .object({
    id: z.string(),
    created: z.string(),
    name: z.string(),
    /** `workspace`: of nobody. `personal`, `service_account`: with its owner's rights. `agent`: for Headgate's agent alone. */
    kind: z.enum(['workspace', 'personal', 'service_account', 'agent']),
    /** The prefix and the last four characters. */
    hint: z.string(),
    owner_id: z.string().nullable(),
    /** The permissions that it is limited to; null: none is taken away. */
    scopes: scopes.nullable(),
    /** The pools that an agent's key serves; null: all. */
    work_pool_ids: z.array(z.string()).nullable(),
    created_by: z.string().nullable(),
    expires: z.string().nullable(),
    revoked: z.string().nullable(),
    /** To the hour. */
    last_used: z.string().nullable(),
  })
  .meta({ id: 'ApiKey' })
export type ApiKey = z.infer<typeof apiKey>

export const apiKeyCreate = z
  .strictObject({
    name: objectName,
    kind: z.enum(['workspace', 'agent']),
    /** With `workspace`; null or absent: all that the key of the request allows. */
    scopes: scopes.nullish(),
    /** With `agent`: the names of the pools that it serves; null or absent: all. */
    work_pools: z.array(z.string()).min(1).max(100).nullish(),
    expires: timestamp.nullish(),
  })
  .meta({ id: 'ApiKeyCreate' })
export type ApiKeyCreate = z.infer<typeof apiKeyCreate>

export const serviceAccountKeyCreate = z
  .strictObject({ name: objectName, scopes: scopes.nullish(), expires: timestamp.nullish() })
  .meta({ id: 'ServiceAccountKeyCreate' })
export type ServiceAccountKeyCreate = z.infer<typeof serviceAccountKeyCreate>

export const apiKeyCreated = apiKey
  .extend({
    /** The key itself: told once, never stored. */
    key: z.string(),
  })
  .meta({ id: 'ApiKeyCreated' })
export type ApiKeyCreated = z.infer<typeof apiKeyCreated>

/** A key of a person: with the role that it has at the time, in each workspace. */
export const personalKey = apiKey
  .extend({
    /** The only workspace that it opens; null: all that its owner has a role in. */
    workspace_id: z.string().nullable(),
  })
  .meta({ id: 'PersonalKey' })
export type PersonalKey = z.infer<typeof personalKey>

export const personalKeyCreate = z
  .strictObject({
    name: objectName,
    /** Null or absent: it opens all that its owner has a role in. */
    workspace_id: uuid.nullish(),
    scopes: scopes.nullish(),
    expires: timestamp.nullish(),
  })
  .meta({ id: 'PersonalKeyCreate' })
export type PersonalKeyCreate = z.infer<typeof personalKeyCreate>

export const personalKeyCreated = personalKey
  .extend({ key: z.string() })
  .meta({ id: 'PersonalKeyCreated' })
export type PersonalKeyCreated = z.infer<typeof personalKeyCreated>

const MAX_OVERLAP_SECONDS = 30 * 24 * 3600

export const apiKeyRotate = z
  .strictObject({
    /** How long the old key still serves beside the new one. Default: a day. */
    overlap_seconds: z.int().min(0).max(MAX_OVERLAP_SECONDS).optional(),
  })
  .meta({ id: 'ApiKeyRotate' })
export type ApiKeyRotate = z.infer<typeof apiKeyRotate>

const role = z.enum(['owner', 'developer', 'runner', 'viewer'])

export const serviceAccount = z
  .object({
    id: z.string(),
    created: z.string(),
    updated: z.string(),
    name: z.string(),
    role,
    created_by: z.string(),
  })
  .meta({ id: 'ServiceAccount' })
export type ServiceAccount = z.infer<typeof serviceAccount>

export const serviceAccountCreate = z
  .strictObject({ name: objectName, role })
  .meta({ id: 'ServiceAccountCreate' })
export type ServiceAccountCreate = z.infer<typeof serviceAccountCreate>

export const serviceAccountUpdate = z
  .strictObject({ name: objectName.optional(), role: role.optional() })
  .meta({ id: 'ServiceAccountUpdate' })
export type ServiceAccountUpdate = z.infer<typeof serviceAccountUpdate>

/** A workspace that a key opens, in the words of Prefect Cloud's `/me/workspaces`. */
export const myWorkspace = z
  .object({
    account_id: uuid,
    account_name: z.string(),
    account_handle: z.string(),
    workspace_id: uuid,
    workspace_name: z.string(),
    workspace_description: z.string(),
    workspace_handle: z.string(),
  })
  .meta({ id: 'MyWorkspace' })
export type MyWorkspace = z.infer<typeof myWorkspace>

import * as z from 'zod'
import { apiKey } from './api-key.ts'
import { objectName, timestamp } from './common.ts'

/** A day is 86,400. */
const MAX_KEY_SECONDS = 366 * 86_400

/** What lets agents in: each use of its token makes a key for one agent. */
export const enrolment = z
  .object({
    id: z.string(),
    created: z.string(),
    name: z.string(),
    /** The prefix and the last four characters of its token. */
    hint: z.string(),
    /** The pools that the keys serve. */
    work_pool_ids: z.array(z.string()),
    created_by: z.string(),
    expires: z.string(),
    max_uses: z.int(),
    uses: z.int(),
    /** How long a key serves that it makes; its agent replaces it before that. */
    key_seconds: z.int(),
    revoked: z.string().nullable(),
  })
  .meta({ id: 'Enrolment' })
export type Enrolment = z.infer<typeof enrolment>

export const enrolmentCreate = z
  .strictObject({
    name: objectName,
    /** The names of the pools that the agents serve. */
    work_pools: z.array(z.string()).min(1).max(100),
    /** How many agents it lets in. Default: one. */
    max_uses: z.int().min(1).max(10_000).optional(),
    /** Default: in an hour. */
    expires: timestamp.nullish(),
    /** How long a key serves before it is replaced. Default: 30 days. */
    key_seconds: z.int().min(600).max(MAX_KEY_SECONDS).optional(),
  })
  .meta({ id: 'EnrolmentCreate' })
export type EnrolmentCreate = z.infer<typeof enrolmentCreate>

export const enrolmentCreated = enrolment
  .extend({
    /** The token itself: told once, never stored. */
    token: z.string(),
  })
  .meta({ id: 'EnrolmentCreated' })
export type EnrolmentCreated = z.infer<typeof enrolmentCreated>

/** The key of an agent, as the API gets to know it: made by the agent, which alone ever has its text. */
const newKey = {
  /** SHA-256 of the key's text, hexadecimal. */
  key_hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** What may be shown of it. */
  key_hint: z.string().regex(/^hg_key_…[0-9A-Za-z]{4}$/),
}

export const agentEnrol = z
  .strictObject({ token: z.string().max(200), name: objectName, ...newKey })
  .meta({ id: 'AgentEnrol' })
export type AgentEnrol = z.infer<typeof agentEnrol>

export const agentEnrolled = z
  .object({ account_id: z.string(), workspace_id: z.string(), key: apiKey })
  .meta({ id: 'AgentEnrolled' })
export type AgentEnrolled = z.infer<typeof agentEnrolled>

export const agentKeyReplace = z.strictObject(newKey).meta({ id: 'AgentKeyReplace' })
export type AgentKeyReplace = z.infer<typeof agentKeyReplace>

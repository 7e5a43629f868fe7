import { formatTimestamp, type Micros } from '#core/time.ts'
import type { AuditActorKind, AuditEntry, AuditOutcome } from '#core/wire/audit.ts'
import type { Json } from '#core/wire/common.ts'
import type { SetState } from '#core/wire/state.ts'

/** Who asks for a change, from where and by what: goes with the handle of the workspace to wherever the change is written. */
export interface AuditTrail {
  now: Micros
  account_id: string
  workspace_id: string | null
  actor_kind: AuditActorKind
  actor_id: string | null
  actor_name: string | null
  key_id: string | null
  key_hint: string | null
  address: string | null
  user_agent: string | null
  operation: string
  request_id: string | null
}

/**
 * The same where no handle has a trail: for an account, or for a workspace that the caller has no role in yet.
 * @param workspaceId null for what is about the account alone
 */
export type TrailIn = (accountId: string, workspaceId: string | null) => AuditTrail

/** What was changed. Null before: it was made; null after: it was deleted. */
export interface AuditedChange {
  object_kind: string
  object_id: string | null
  object_name: string | null
  before: object | null
  after: object | null
}

/**
 * The change of an object, which is told as it was called before.
 * @param before with its `id` and `name`, if it has any; so `after`
 */
export function audited(
  kind: string,
  before: object | null | undefined,
  after: object | null | undefined,
): AuditedChange {
  const named: { id?: string | null; name?: string | null } = before ?? after ?? {}
  return {
    object_kind: kind,
    object_id: named.id ?? null,
    object_name: named.name ?? null,
    before: before ?? null,
    after: after ?? null,
  }
}

/** The entry that a change leaves. */
export function toAuditEntry(
  id: string,
  { now, ...who }: AuditTrail,
  change: AuditedChange,
  outcome: AuditOutcome = 'done',
): AuditEntry {
  return {
    id,
    occurred: formatTimestamp(now),
    ...who,
    outcome,
    object_kind: change.object_kind,
    object_id: change.object_id,
    object_name: change.object_name,
    ...changedFields(change.before, change.after),
  }
}

/** What every row has, what follows from other rows, and what moves by itself: nobody changes that. */
const UNTOLD: ReadonlySet<string> = new Set([
  'id',
  'created',
  'updated',
  'status',
  'last_polled',
  'last_used',
  'active_slots',
  'denied_slots',
  'avg_slot_occupancy_seconds',
  'global_concurrency_limit',
  'work_pool_name',
  'work_queue_name',
  'task_run_ids',
])

/** The fields that differ, each cut to a length that a reader takes in; of what was made or deleted all that it has. */
export function changedFields(
  before: object | null,
  after: object | null,
): Pick<AuditEntry, 'before' | 'after'> {
  const [was, is] = [textsOf(before), textsOf(after)]
  const changed = [...new Set([...was.keys(), ...is.keys()])].filter(
    (name) => was.get(name) !== is.get(name),
  )
  return { before: before && cut(was, changed), after: after && cut(is, changed) }
}

/** JSON longer than this is cut, in one field and in all of them together: templates and schemas can have megabytes. */
export const MAX_AUDIT_FIELD = 2000
export const MAX_AUDIT_FIELDS = 16_000
const SHOWN_OF_CUT = 200

/** The fields that are told, as JSON. */
function textsOf(value: object | null): Map<string, string> {
  return new Map(
    Object.entries(value ?? {}).flatMap(([name, field]) => {
      const text = UNTOLD.has(name) ? undefined : (JSON.stringify(field) as string | undefined)
      return text === undefined ? [] : [[name, text]]
    }),
  )
}

function cut(texts: ReadonlyMap<string, string>, names: readonly string[]): Record<string, Json> {
  let room = MAX_AUDIT_FIELDS
  const kept: [string, Json][] = []
  for (const [index, name] of names.entries()) {
    if (room <= 0) {
      kept.push(['…', `${names.length - index} more fields`])
      break
    }
    const text = texts.get(name)
    if (text !== undefined) {
      const fits = text.length <= Math.min(MAX_AUDIT_FIELD, room)
      const shown = text.slice(0, SHOWN_OF_CUT)
      const label = name.slice(0, SHOWN_OF_CUT)
      room -= label.length + (fits ? text.length : 2 * shown.length)
      kept.push([
        label,
        fits ? (JSON.parse(text) as Json) : `${shown}… (${text.length} characters of JSON)`,
      ])
    }
  }
  return Object.fromEntries(kept)
}

/**
 * Whether a proposed state is somebody's intervention, which leaves an entry, or what an engine or a worker reports of a run that
 * it executes with a key: a run would leave several of those. People only intervene.
 * @param isOver whether the run had come to its end: who sets it going again intervenes
 */
export function isIntervention(
  caller: 'user' | 'key' | 'run',
  { state, force }: SetState,
  isOver: boolean,
): boolean {
  if (caller !== 'key') {
    return caller === 'user'
  }
  const isForced = force === true && state.type !== 'CRASHED'
  return isForced || isOver || state.type === 'CANCELLING' || state.type === 'CANCELLED'
}

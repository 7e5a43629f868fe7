import { formatTimestamp, type Micros } from '#core/time.ts'
import type {
  MinimalConcurrencyLimit,
  TagLimit,
  TagLimitCreate,
} from '#core/wire/concurrency-limit.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { LimitWithHolders } from '../durable/concurrency-limits.ts'
import {
  createConcurrencyLimit,
  deleteConcurrencyLimit,
  updateConcurrencyLimit,
  type Emit,
} from './concurrency-limits.ts'
import { toMinimalLimit } from './concurrency-slots.ts'
import { limitedNames } from './limited-names.ts'
import { askedBy } from './object-context.ts'
import { concurrencyLimitsStub } from './stubs.ts'

const PREFIX = 'tag:'

export function limitNameOf(tag: string): string {
  return PREFIX + tag
}

/** Makes the limit of a tag, or changes its number. */
export async function saveTagLimit(
  workspace: Workspace,
  body: TagLimitCreate,
  now: Micros,
  emit: Emit,
): Promise<{ created: boolean; limit: TagLimit }> {
  const name = limitNameOf(body.tag)
  const limit = body.concurrency_limit
  const updated = await updateConcurrencyLimit(workspace, name, { limit }, now, emit)
  const saved = updated
    ? await concurrencyLimitsStub(workspace).find(name, now)
    : await createConcurrencyLimit(workspace, { name, limit }, now, emit)
  if (saved === null) {
    return await saveTagLimit(workspace, body, now, emit)
  }
  return { created: !updated, limit: toTagLimit(saved) }
}

/** By its id, or by the name `tag:<tag>`. */
export async function findTagLimit(
  workspace: Workspace,
  idOrName: string,
  now: Micros,
): Promise<TagLimit | undefined> {
  const found = await concurrencyLimitsStub(workspace).find(idOrName, now)
  return found === null || !found.name.startsWith(PREFIX) ? undefined : toTagLimit(found)
}

export async function listTagLimits(workspace: Workspace, now: Micros): Promise<TagLimit[]> {
  const all = await concurrencyLimitsStub(workspace).list(now)
  return all.filter(({ name }) => name.startsWith(PREFIX)).map(toTagLimit)
}

/** @returns whether there was such a limit */
export async function deleteTagLimit(
  workspace: Workspace,
  idOrName: string,
  now: Micros,
  emit: Emit,
): Promise<boolean> {
  const found = await findTagLimit(workspace, idOrName, now)
  return found !== undefined && (await deleteConcurrencyLimit(workspace, found.id, now, emit))
}

/** Frees all its slots and gives one to each of the named task runs. @returns whether there is such a limit */
export async function resetTagLimit(
  workspace: Workspace,
  tag: string,
  taskRunIds: string[],
  now: Micros,
): Promise<boolean> {
  const asked = askedBy(workspace)
  return await concurrencyLimitsStub(workspace).reset(limitNameOf(tag), taskRunIds, now, asked)
}

export type TagSlots =
  | { kind: 'acquired'; limits: MinimalConcurrencyLimit[] }
  | { kind: 'zero'; tag: string }
  | { kind: 'full'; tags: string[]; retry_after: number; average_seconds: number }

/** A task run takes a slot of each of its tags' limits until it gives them back: its client knows of no lease. */
export async function acquireTagSlots(
  workspace: Workspace,
  tags: readonly string[],
  taskRunId: string,
  now: Micros,
): Promise<TagSlots> {
  const names = await limitedNames(workspace, tags.map(limitNameOf), now)
  if (names.length === 0) {
    return { kind: 'acquired', limits: [] }
  }
  const lease = { seconds: null, holder: { type: 'task_run' as const, id: taskRunId } }
  const request = { names, slots: 1, mode: 'concurrency' as const, lease }
  const { acquired } = await concurrencyLimitsStub(workspace).acquire(request, now)
  switch (acquired.kind) {
    case 'acquired':
      return {
        kind: 'acquired',
        limits: acquired.limits
          .filter(({ active }) => active)
          .map((limit) => ({ ...toMinimalLimit(limit), name: tagOf(limit.name) })),
      }
    case 'more_than_limit': {
      const zero = (await concurrencyLimitsStub(workspace).list(now)).find(
        ({ name, limit, active }) => limit === 0 && active && names.includes(name),
      )
      return { kind: 'zero', tag: tagOf(zero?.name ?? names[0] ?? '') }
    }
    case 'full':
      return { ...acquired, tags: acquired.limits.map(({ name }) => tagOf(name)) }
    default:
      throw new Error('a slot that is held needs no decay')
  }
}

/** Asks the owner itself: a slot that is not given back would be held for good. */
export async function releaseTagSlots(
  workspace: Workspace,
  tags: readonly string[],
  taskRunId: string,
  now: Micros,
): Promise<MinimalConcurrencyLimit[]> {
  const limits = await concurrencyLimitsStub(workspace).releaseHolder(
    tags.map(limitNameOf),
    taskRunId,
    now,
  )
  return limits.map(toMinimalLimit)
}

function tagOf(name: string): string {
  return name.slice(PREFIX.length)
}

function toTagLimit(limit: LimitWithHolders): TagLimit {
  return {
    id: limit.id,
    created: formatTimestamp(limit.created),
    updated: formatTimestamp(limit.updated),
    tag: tagOf(limit.name),
    concurrency_limit: limit.limit,
    active_slots: limit.task_run_ids,
  }
}

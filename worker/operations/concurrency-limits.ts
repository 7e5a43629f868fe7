import { formatTimestamp, type Micros } from '#core/time.ts'
import type {
  ConcurrencyLimit,
  ConcurrencyLimitCreate,
  ConcurrencyLimitUpdate,
  GlobalConcurrencyLimit,
} from '#core/wire/concurrency-limit.ts'
import type { LimitFields, LimitView } from '#domain/concurrency-book.ts'
import { deploymentLimit, deploymentOfLimit } from '#domain/deployment-limit.ts'
import { DomainError } from '#domain/errors.ts'
import type { ObjectEvent } from '#domain/object-event.ts'
import { listDeploymentLimits, type DeploymentLimit } from '#storage/deployment-limits.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { LimitWithHolders } from '../durable/concurrency-limits.ts'
import { updateDeployment } from './change-deployment.ts'
import { homeContext } from './configure-home.ts'
import { forgetLimitedNames } from './limited-names.ts'
import { askedBy } from './object-context.ts'
import { concurrencyLimitsStub, homeStub } from './stubs.ts'

export type Emit = (event: ObjectEvent) => void

/** A deployment's limit is made with the deployment. */
export async function createConcurrencyLimit(
  workspace: Workspace,
  body: ConcurrencyLimitCreate,
  now: Micros,
  emit: Emit,
): Promise<LimitWithHolders> {
  if (deploymentOfLimit(body.name) !== undefined) {
    throw new DomainError(
      'conflict',
      `'${body.name}' is the name of a deployment's limit: set the deployment's concurrency_limit.`,
    )
  }
  const fields: LimitFields = {
    name: body.name,
    limit: body.limit,
    active: body.active ?? true,
    active_slots: body.active_slots ?? 0,
    denied_slots: body.denied_slots ?? 0,
    slot_decay_per_second: body.slot_decay_per_second ?? 0,
  }
  const made = await concurrencyLimitsStub(workspace).create(fields, now, askedBy(workspace))
  if (made === null) {
    throw nameTaken(body.name)
  }
  forgetLimitedNames(workspace)
  emit(limitEvent('created', made))
  return made
}

export async function readConcurrencyLimit(
  workspace: Workspace,
  idOrName: string,
  now: Micros,
): Promise<GlobalConcurrencyLimit | undefined> {
  const deploymentId = deploymentOfLimit(idOrName)
  if (deploymentId !== undefined) {
    const [found] = await withSlots(workspace, await listDeploymentLimits(workspace, deploymentId))
    return found
  }
  const limit = await concurrencyLimitsStub(workspace).find(idOrName, now)
  return limit === null ? undefined : toGlobalLimit(limit)
}

/** All of them, by name. */
export async function listConcurrencyLimits(
  workspace: Workspace,
  now: Micros,
): Promise<GlobalConcurrencyLimit[]> {
  const [own, ofDeployments] = await Promise.all([
    concurrencyLimitsStub(workspace).list(now),
    listDeploymentLimits(workspace).then((limits) => withSlots(workspace, limits)),
  ])
  return [...own.map(toGlobalLimit), ...ofDeployments].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )
}

/** @returns whether there is such a limit */
export async function updateConcurrencyLimit(
  workspace: Workspace,
  idOrName: string,
  body: ConcurrencyLimitUpdate,
  now: Micros,
  emit: Emit,
): Promise<boolean> {
  const deploymentId = deploymentOfLimit(idOrName)
  if (deploymentId !== undefined) {
    return await updateDeploymentLimit(workspace, deploymentId, body, now)
  }
  if (body.name && deploymentOfLimit(body.name) !== undefined) {
    throw nameTaken(body.name)
  }
  const changes = Object.fromEntries(
    Object.entries(body).filter(([, value]) => value !== null && value !== undefined),
  ) as Partial<LimitFields>
  const asked = askedBy(workspace)
  const updated = await concurrencyLimitsStub(workspace).update(idOrName, changes, now, asked)
  if (updated === 'taken') {
    throw nameTaken(body.name ?? '')
  }
  if (updated === null) {
    return false
  }
  forgetLimitedNames(workspace)
  emit(limitEvent('updated', updated))
  return true
}

/** @returns whether there was such a limit */
export async function deleteConcurrencyLimit(
  workspace: Workspace,
  idOrName: string,
  now: Micros,
  emit: Emit,
): Promise<boolean> {
  const deploymentId = deploymentOfLimit(idOrName)
  if (deploymentId !== undefined) {
    const [limit] = await listDeploymentLimits(workspace, deploymentId)
    if (limit !== undefined) {
      await updateDeployment(workspace, deploymentId, { concurrency_limit: null }, now)
    }
    return limit !== undefined
  }
  const removed = await concurrencyLimitsStub(workspace).remove(idOrName, now, askedBy(workspace))
  if (removed === null) {
    return false
  }
  forgetLimitedNames(workspace)
  emit(limitEvent('deleted', removed))
  return true
}

export function toConcurrencyLimit(limit: LimitView): ConcurrencyLimit {
  const { denied_slots, avg_slot_occupancy_seconds } = limit
  return { ...toGlobalLimit(limit), denied_slots, avg_slot_occupancy_seconds }
}

function toGlobalLimit(limit: LimitView): GlobalConcurrencyLimit {
  const { id, name, active, active_slots, slot_decay_per_second } = limit
  return {
    id,
    created: formatTimestamp(limit.created),
    updated: formatTimestamp(limit.updated),
    name,
    limit: limit.limit,
    active,
    active_slots,
    slot_decay_per_second,
  }
}

/** Of a deployment's limit only the number can be changed: its slots are its live runs, and what it is called follows from it. */
async function updateDeploymentLimit(
  workspace: Workspace,
  deploymentId: string,
  body: ConcurrencyLimitUpdate,
  now: Micros,
): Promise<boolean> {
  const [limit] = await listDeploymentLimits(workspace, deploymentId)
  if (limit === undefined) {
    return false
  }
  const refused =
    body.active === false
      ? 'active'
      : body.slot_decay_per_second
        ? 'slot_decay_per_second'
        : body.name && body.name !== `deployment:${deploymentId}`
          ? 'name'
          : undefined
  if (refused !== undefined) {
    throw new DomainError(
      'invalid',
      "A deployment's limit can't be switched off, renamed or given a decay: change or delete it.",
      { field: [refused] },
    )
  }
  if (body.limit !== null && body.limit !== undefined) {
    await updateDeployment(workspace, deploymentId, { concurrency_limit: body.limit }, now)
  }
  return true
}

/** Asks the homes of deployments for the slots in use. */
async function withSlots(
  workspace: Workspace,
  limits: readonly DeploymentLimit[],
): Promise<GlobalConcurrencyLimit[]> {
  const homes = Map.groupBy(limits, ({ home_key }) => home_key)
  const answers = await Promise.all(
    [...homes].map(async ([key, owned]) => {
      const context = homeContext(workspace, key)
      const ids = owned.map(({ id }) => id)
      return await homeStub(workspace, key).deploymentSlots(context, ids)
    }),
  )
  const slots = new Map(answers.flatMap((answer) => Object.entries(answer)))
  return limits.flatMap(
    (limit) => deploymentLimit(limit, limit.concurrency_limit, slots.get(limit.id) ?? 0) ?? [],
  )
}

function limitEvent(verb: 'created' | 'updated' | 'deleted', limit: LimitView): ObjectEvent {
  const { id, name, active, slot_decay_per_second } = limit
  const payload = { name, limit: limit.limit, active, slot_decay_per_second }
  return { kind: 'concurrency-limit', verb, id, name, payload }
}

function nameTaken(name: string): DomainError {
  return new DomainError('conflict', `There is a concurrency limit named '${name}' already.`)
}

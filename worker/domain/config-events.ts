import type { JsonObject } from '#core/wire/common.ts'
import type { Deployment } from '#core/wire/deployment.ts'
import type { ResourceLabels } from '#core/wire/event.ts'
import type { WorkPool } from '#core/wire/work-pool.ts'
import type { WorkQueue } from '#core/wire/work-queue.ts'
import type { ObjectEvent } from './object-event.ts'

// What happened to deployments, pools and queues, in the words of Prefect's server.

export type Verb = 'created' | 'updated' | 'deleted'
type Status = 'READY' | 'NOT_READY' | 'PAUSED' | 'DISABLED'

/** The fields whose change is told; whether something is paused is told as its status. */
const DEPLOYMENT_FIELDS = [
  'description',
  'tags',
  'parameters',
  'parameter_openapi_schema',
  'enforce_parameter_schema',
  'entrypoint',
  'path',
  'pull_steps',
  'work_queue_id',
  'job_variables',
  'paused',
  'labels',
  'version',
  'concurrency_options',
] as const satisfies readonly (keyof Deployment)[]
const POOL_FIELDS = [
  'description',
  'base_job_template',
  'concurrency_limit',
  'storage_configuration',
] as const satisfies readonly (keyof WorkPool)[]
const QUEUE_FIELDS = [
  'name',
  'description',
  'concurrency_limit',
  'priority',
] as const satisfies readonly (keyof WorkQueue)[]

type PoolName = Pick<WorkPool, 'id' | 'name' | 'type'>

/** Updates that change none of the fields that are told are no events. */
export function deploymentEvents(
  verb: Verb,
  before: Deployment | null,
  deployment: Deployment,
  about: { flow: { id: string; name: string } | null; pool: PoolName | null },
): ObjectEvent[] {
  const { work_queue_id, work_queue_name } = deployment
  const payload = verb === 'updated' ? changesOf(DEPLOYMENT_FIELDS, before, deployment) : {}
  return payload === undefined
    ? []
    : [
        {
          kind: 'deployment',
          verb,
          id: deployment.id,
          name: deployment.name,
          related: [
            ...(about.flow === null ? [] : [related('flow', about.flow)]),
            ...(work_queue_id === null
              ? []
              : [related('work-queue', { id: work_queue_id, name: work_queue_name ?? '' })]),
            ...(about.pool === null ? [] : [poolLabels(about.pool)]),
          ],
          payload,
        },
      ]
}

export function workPoolEvents(verb: Verb, before: WorkPool | null, pool: WorkPool): ObjectEvent[] {
  const { id, name, default_queue_id } = pool
  const labels = { 'prefect.work-pool.type': pool.type }
  const event = { kind: 'work-pool', id, name } as const
  if (verb !== 'updated') {
    const queue = {
      'prefect.resource.id': `prefect.work-queue.${default_queue_id}`,
      'prefect.resource.role': 'default-queue',
    }
    return [{ ...event, verb, labels: { ...labels, ...ROLE.pool }, related: [queue] }]
  }
  const payload = changesOf(POOL_FIELDS, before, pool)
  const status = statusVerb(before, pool)
  return [
    ...(payload === undefined
      ? []
      : [{ ...event, verb, labels: { ...labels, ...ROLE.pool }, payload }]),
    ...(status === undefined ? [] : [{ ...event, verb: status, labels }]),
  ]
}

export function workQueueEvents(
  verb: Verb,
  before: WorkQueue | null,
  queue: WorkQueue,
  pool: PoolName | null,
): ObjectEvent[] {
  const event = {
    kind: 'work-queue',
    id: queue.id,
    name: queue.name,
    labels: ROLE.queue,
    related: pool === null ? [] : [poolLabels(pool)],
  } as const
  if (verb !== 'updated') {
    return [{ ...event, related: [...event.related], verb }]
  }
  const payload = changesOf(QUEUE_FIELDS, before, queue)
  const status = statusVerb(before, queue)
  return [
    ...(payload === undefined ? [] : [{ ...event, related: [...event.related], verb, payload }]),
    ...(status === undefined ? [] : [{ ...event, related: [...event.related], verb: status }]),
  ]
}

/** That a pool and its queues have come to be served, or have ceased to be. `told`: the status of each that was told last. */
export function readinessEvents(
  pool: WorkPool,
  queues: readonly WorkQueue[],
  told: Readonly<Record<string, string>>,
): ObjectEvent[] {
  const labels = { 'prefect.work-pool.type': pool.type }
  return [
    ...(isNews(pool, told)
      ? [
          {
            kind: 'work-pool',
            id: pool.id,
            name: pool.name,
            labels,
            verb: toVerb(pool.status),
          } as const,
        ]
      : []),
    ...queues
      .filter((queue) => isNews(queue, told))
      .map((queue): ObjectEvent => ({
        kind: 'work-queue',
        id: queue.id,
        name: queue.name,
        labels: ROLE.queue,
        related: [poolLabels(pool)],
        verb: toVerb(queue.status),
      })),
  ]
}

/** Nobody is told that what has never been served is not, and a pause is told by whoever pauses. */
function isNews(
  { id, status }: { id: string; status?: Status | null | undefined },
  told: Readonly<Record<string, string>>,
): boolean {
  return (
    (status === 'READY' && told[id] !== 'READY') || (status === 'NOT_READY' && told[id] === 'READY')
  )
}

function toVerb(status: Status | null | undefined): string {
  return (status ?? '').toLowerCase().replace('_', '-')
}

const ROLE = {
  pool: { 'prefect.resource.role': 'work-pool' },
  queue: { 'prefect.resource.role': 'work-queue' },
}

/** The status that pausing or resuming has led to, as an event says it. */
function statusVerb(
  before: { is_paused: boolean } | null,
  after: { is_paused: boolean; status?: Status | null | undefined },
): string | undefined {
  if (before === null || before.is_paused === after.is_paused || !after.status) {
    return undefined
  }
  return toVerb(after.status)
}

/** Which of the fields differ, from what and to what; undefined when none does. */
function changesOf<T extends object>(
  fields: readonly (keyof T & string)[],
  before: T | null,
  after: T,
): JsonObject | undefined {
  const changed = fields.filter(
    (field) => JSON.stringify(before?.[field]) !== JSON.stringify(after[field]),
  )
  return changed.length === 0
    ? undefined
    : {
        updated_fields: changed,
        updates: Object.fromEntries(
          changed.map((field) => [
            field,
            { from: before?.[field] ?? null, to: after[field] ?? null },
          ]),
        ) as JsonObject,
      }
}

function poolLabels(pool: PoolName): ResourceLabels {
  return { ...related('work-pool', pool), 'prefect.work-pool.type': pool.type }
}

function related(kind: string, { id, name }: { id: string; name: string }): ResourceLabels {
  return {
    'prefect.resource.id': `prefect.${kind}.${id}`,
    'prefect.resource.name': name,
    'prefect.resource.role': kind,
  }
}

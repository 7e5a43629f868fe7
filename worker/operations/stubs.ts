import type { HomeKey } from '#core/flow-run-id.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import type { ConcurrencyLimits } from '../durable/concurrency-limits.ts'
import type { Deletion } from '../durable/deletion.ts'
import type { EventHub } from '../durable/event-hub.ts'
import type { EventStream } from '../durable/event-stream.ts'
import type { Jobs } from '../durable/jobs.ts'
import type { LogShard } from '../durable/log-shard.ts'
import type { TaskQueue } from '../durable/task-queue.ts'
import type { WorkPool } from '../durable/work-pool.ts'

type Owner = Pick<Workspace, 'id' | 'region' | 'bindings'>

/**
 * An object as its caller sees it: its methods, each a promise. The platform's own type for stubs proves that all that
 * travels can be serialised, which it can't do for JSON of any depth.
 */
export type Remote<T> = {
  [K in Exclude<keyof T, 'fetch'>]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never
} & {
  readonly id: DurableObjectId
  fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
}

// The one way to an object. Every name begins with the workspace's id, so that no object is shared between workspaces.

/** The home with that key. Ask `storage/homes` first whether the workspace has it. */
export function homeStub(workspace: Owner, key: HomeKey): Remote<WorkPool> {
  return stub(workspace, workspace.bindings.WORK_POOL, `home:${key}`)
}

/** The stream that records a flow run's events and task runs; without a flow run, one for all such task runs. */
export function eventStreamStub(
  workspace: Workspace,
  flowRunId: string | null,
): Remote<EventStream> {
  const index = shardOf(flowRunId ?? '', workspace.event_streams)
  return stub(workspace, workspace.bindings.EVENT_STREAM, `events:${index}`)
}

/** All event streams of the workspace. */
export function eventStreamStubs(workspace: Workspace): Remote<EventStream>[] {
  return Array.from({ length: workspace.event_streams }, (_, index) =>
    stub<EventStream>(workspace, workspace.bindings.EVENT_STREAM, `events:${index}`),
  )
}

/** The number of the stream that has this id; numbers keep when the workspace gets more streams. */
export function eventStreamNumber(workspace: Workspace, id: DurableObjectId): number {
  return eventStreamStubs(workspace).findIndex((stream) => stream.id.equals(id))
}

export function eventHubStub(workspace: Owner): Remote<EventHub> {
  return stub(workspace, workspace.bindings.EVENT_HUB, 'hub')
}

/** The workspace's limits and the leases on them. */
export function concurrencyLimitsStub(workspace: Owner): Remote<ConcurrencyLimits> {
  return stub(workspace, workspace.bindings.CONCURRENCY_LIMITS, 'concurrency')
}

/** The workspace's deferred task runs, and who waits for them. */
export function taskQueueStub(workspace: Owner): Remote<TaskQueue> {
  return stub(workspace, workspace.bindings.TASK_QUEUE, 'tasks')
}

/** The workspace's long work. */
export function jobsStub(workspace: Owner): Remote<Jobs> {
  return stub(workspace, workspace.bindings.JOBS, 'jobs')
}

/** The work of deleting a workspace or an account. It is none of the objects that it erases, and erases itself in the end. */
export function deletionStub(
  bindings: Bindings,
  owner: { id: string; region: string | null },
  deletionId: string,
): Remote<Deletion> {
  return stub({ ...owner, bindings }, bindings.DELETION, `deletion:${deletionId}`)
}

/** What every object of a workspace can do. */
export interface ErasableStub {
  erase: () => Promise<void>
}

/**
 * All objects that a workspace may have, those that call others before these: nothing else is to be erased with it.
 * @param homes of all its work pools, also former ones, and of runs without a pool
 */
export function objectsOf(workspace: Workspace, homes: readonly HomeKey[]): ErasableStub[] {
  return [
    ...homes.map((key) => homeStub(workspace, key)),
    jobsStub(workspace),
    ...eventStreamStubs(workspace),
    ...logShardStubs(workspace),
    concurrencyLimitsStub(workspace),
    taskQueueStub(workspace),
    eventHubStub(workspace),
  ]
}

/** The shard that keeps a flow run's logs; logs of no flow run share one. */
export function logShardStub(workspace: Workspace, flowRunId: string | null): Remote<LogShard> {
  const index = shardOf(flowRunId ?? '', workspace.log_shards)
  return stub(workspace, workspace.bindings.LOG_SHARD, `logs:${index}`)
}

/** The shards that keep the logs of these flow runs; undefined: of all. */
export function logShardsOf(
  workspace: Workspace,
  flowRunIds: readonly string[] | undefined,
): Remote<LogShard>[] {
  if (flowRunIds === undefined) {
    return logShardStubs(workspace)
  }
  const stubs = flowRunIds.map((id) => logShardStub(workspace, id))
  return [...new Map(stubs.map((shard) => [shard.id.toString(), shard])).values()]
}

/** The number of the shard that has this id. */
export function logShardNumber(workspace: Workspace, id: DurableObjectId): number {
  return logShardStubs(workspace).findIndex((shard) => shard.id.equals(id))
}

/** All log shards of the workspace. */
function logShardStubs(workspace: Workspace): Remote<LogShard>[] {
  return Array.from({ length: workspace.log_shards }, (_, index) =>
    stub<LogShard>(workspace, workspace.bindings.LOG_SHARD, `logs:${index}`),
  )
}

function stub<T extends Rpc.DurableObjectBranded>(
  workspace: Owner,
  namespace: DurableObjectNamespace<T>,
  name: string,
): Remote<T> {
  const options =
    workspace.region === null ? {} : { locationHint: workspace.region as DurableObjectLocationHint }
  return namespace.get(
    namespace.idFromName(`${workspace.id}:${name}`),
    options,
  ) as unknown as Remote<T>
}

/** FNV-1a of the id, modulo the number of shards. */
function shardOf(id: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash % shards
}

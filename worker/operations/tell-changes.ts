import { waitUntil } from 'cloudflare:workers'
import type { Micros } from '#core/time.ts'
import type { Deployment } from '#core/wire/deployment.ts'
import type { WorkPool } from '#core/wire/work-pool.ts'
import type { WorkQueue } from '#core/wire/work-queue.ts'
import {
  deploymentEvents,
  workPoolEvents,
  workQueueEvents,
  type Verb,
} from '#domain/config-events.ts'
import { objectEvent, type ObjectEvent } from '#domain/object-event.ts'
import { findDeployment } from '#storage/deployments.ts'
import { findFlow } from '#storage/flows.ts'
import { newId } from '#storage/new-id.ts'
import { findWorkPool } from '#storage/work-pools.ts'
import { findWorkQueue, listWorkQueues } from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { emitEvents } from './emit-events.ts'

// Tells as events what was committed to the configuration. Nobody waits for that; what the event must know beside the change
// is read for it then.

/** @param before null when it was just made */
export function tellDeployment(
  workspace: Workspace,
  verb: Verb,
  before: Deployment | null,
  id: string,
  now: Micros,
): void {
  later(workspace, now, async () => {
    const stored = verb === 'deleted' ? undefined : await findDeployment(workspace, id, now)
    const deployment = stored?.deployment ?? before
    if (deployment === null) {
      return []
    }
    const [flow, pool] = await Promise.all([
      findFlow(workspace, deployment.flow_id),
      readPool(workspace, deployment.work_pool_name, now),
    ])
    return deploymentEvents(verb, before, deployment, { flow: flow ?? null, pool })
  })
}

/** A pool that is made or deleted has its queues made or deleted with it. */
export function tellWorkPool(
  workspace: Workspace,
  verb: Verb,
  before: WorkPool | null,
  name: string,
  now: Micros,
  queues: readonly WorkQueue[] = [],
): void {
  later(workspace, now, async () => {
    const pool = verb === 'deleted' ? before : await readPool(workspace, name, now)
    if (pool === null) {
      return []
    }
    const own =
      verb === 'created'
        ? await listWorkQueues(workspace, { work_pool_id: pool.id }, { limit: 1, offset: 0 }, now)
        : queues
    return [
      ...workPoolEvents(verb, before, pool),
      ...own.flatMap((queue) => workQueueEvents(verb, null, queue, pool)),
    ]
  })
}

/** @param before null when it was just made */
export function tellWorkQueue(
  workspace: Workspace,
  verb: Verb,
  before: WorkQueue | null,
  id: string,
  now: Micros,
): void {
  later(workspace, now, async () => {
    const stored = verb === 'deleted' ? undefined : await findWorkQueue(workspace, id, now)
    const queue = stored?.queue ?? before
    if (queue === null) {
      return []
    }
    const pool = await readPool(workspace, queue.work_pool_name ?? null, now)
    return workQueueEvents(verb, before, queue, pool)
  })
}

async function readPool(
  workspace: Workspace,
  name: string | null,
  now: Micros,
): Promise<WorkPool | null> {
  return name === null ? null : ((await findWorkPool(workspace, name, now))?.pool ?? null)
}

function later(workspace: Workspace, now: Micros, collect: () => Promise<ObjectEvent[]>): void {
  const tell = async (): Promise<void> => {
    const events = (await collect()).map((event) => objectEvent(event, newId(now), now))
    if (events.length > 0) {
      await emitEvents(workspace, events, now)
    }
  }
  // With the store or a stream away nobody is told; the change itself is made.
  waitUntil(tell().catch(() => undefined))
}

import { objectEvent, type ObjectEvent } from '#domain/object-event.ts'
import type { Micros } from '#core/time.ts'
import { newId } from '#storage/new-id.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { Context } from 'hono'
import { emitEvents } from '../operations/emit-events.ts'
import type { AppEnv } from './endpoint.ts'

type Emitting = { workspace: Workspace; now: Micros; context: Context<AppEnv> }

/** Emits what happened to objects, after the change is committed and without anybody waiting for it. */
export function emitLater(request: Emitting, objects: readonly ObjectEvent[]): void {
  const { workspace, now, context } = request
  const events = objects.map((object) => objectEvent(object, newId(now), now))
  context.executionCtx.waitUntil(emitEvents(workspace, events, now))
}

/** The same for an operation that tells of each thing as it happens. */
export function emitterOf(request: Emitting): (object: ObjectEvent) => void {
  return (object) => {
    emitLater(request, [object])
  }
}

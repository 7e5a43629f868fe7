import type { Micros } from '#core/time.ts'
import type { Event } from '#core/wire/event.ts'
import { flowRunIdOf } from '#domain/task-run-recorder.ts'
import type { Workspace } from '#storage/workspace.ts'
import { objectContext } from './object-context.ts'
import { eventStreamStub } from './stubs.ts'

/** Hands events to the streams of their flow runs, which keep each once by its id; those of no flow run share a stream. */
export async function emitEvents(
  workspace: Workspace,
  events: readonly Event[],
  now: Micros,
): Promise<void> {
  const context = objectContext(workspace)
  const streams = new Map<string, { stub: ReturnType<typeof eventStreamStub>; events: Event[] }>()
  for (const event of events) {
    const stub = eventStreamStub(workspace, flowRunIdOf(event))
    const stream = streams.get(stub.id.toString()) ?? { stub, events: [] }
    stream.events.push(event)
    streams.set(stub.id.toString(), stream)
  }
  await Promise.all(
    [...streams.values()].map(async (stream) => {
      await stream.stub.record(context, stream.events, now)
    }),
  )
}

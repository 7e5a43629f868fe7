import type { State } from '#core/wire/state.ts'
import { DomainError } from '#domain/errors.ts'
import type { TaskRunRecord } from '#domain/task-run.ts'
import { briefly } from '#storage/briefly.ts'
import { findTaskRunRecord, findTaskRunRecordByState } from '#storage/task-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { EventStream } from '../durable/event-stream.ts'
import { objectContext } from './object-context.ts'
import { eventStreamStub, eventStreamStubs, type Remote } from './stubs.ts'

export interface FoundTaskRun {
  run: TaskRunRecord
  /** The stream that owns it. */
  stream: Remote<EventStream>
}

/**
 * A task run by its id, which does not name its stream: the store tells the flow run, and with it the stream, which may have a
 * newer row; what the store does not have yet, or can't tell, the streams are asked for.
 * Throws `unavailable` when the store is away and no stream has it: "not found" is said only when the store said so.
 */
export async function findTaskRun(
  workspace: Workspace,
  id: string,
): Promise<FoundTaskRun | undefined> {
  return await find(
    workspace,
    async () => await findTaskRunRecord(workspace, id),
    async (stream) => await stream.findTaskRun(objectContext(workspace), id),
  )
}

/** A state of a task run, by its own id. */
export async function findTaskRunState(
  workspace: Workspace,
  stateId: string,
): Promise<State | undefined> {
  const found = await find(
    workspace,
    async () => await findTaskRunRecordByState(workspace, stateId),
    async (stream) => await stream.findTaskRunByState(objectContext(workspace), stateId),
  )
  return found?.run.states.find((state) => state.id === stateId)
}

async function find(
  workspace: Workspace,
  inStore: () => Promise<TaskRunRecord | undefined>,
  inStream: (stream: Remote<EventStream>) => Promise<TaskRunRecord | undefined>,
): Promise<FoundTaskRun | undefined> {
  const asked = inStore()
  const stored = await briefly(workspace, asked).catch(() => undefined)
  if (stored !== undefined) {
    const stream = eventStreamStub(workspace, stored.flow_run_id)
    return present({ run: (await inStream(stream)) ?? stored, stream })
  }
  const answers = await Promise.all(
    eventStreamStubs(workspace).map(async (stream) => ({ stream, run: await inStream(stream) })),
  )
  for (const { run, stream } of answers) {
    if (run !== undefined) {
      return present({ run, stream })
    }
  }
  // Now only the store can tell; one that is slow still does.
  const late = await asked.catch((cause: unknown) => {
    throw new DomainError('unavailable', 'The store can not be reached now.', { cause })
  })
  return late && present({ run: late, stream: eventStreamStub(workspace, late.flow_run_id) })
}

function present(found: FoundTaskRun): FoundTaskRun | undefined {
  return found.run.deleted ? undefined : found
}

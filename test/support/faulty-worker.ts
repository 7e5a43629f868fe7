import type { Bindings } from '#storage/workspace.ts'
import app from '../../worker/index.ts'
import * as worker from '../../worker/index.ts'
import { withD1Faults } from './d1-faults.ts'

// The Worker with faults before its D1, where a test asks for them: see `d1-faults.ts`.

type ObjectClass<T> = new (state: DurableObjectState, bindings: Bindings) => T

function faultyObject<T extends ObjectClass<object>>(original: T): T {
  // A class of the platform is known by what it extends.
  const Original: ObjectClass<object> = original
  return class extends Original {
    constructor(state: DurableObjectState, bindings: Bindings) {
      super(state, withD1Faults(bindings))
    }
  } as T
}

export const ConcurrencyLimits = faultyObject(worker.ConcurrencyLimits)
export const Deletion = faultyObject(worker.Deletion)
export const EventHub = faultyObject(worker.EventHub)
export const EventStream = faultyObject(worker.EventStream)
export const Jobs = faultyObject(worker.Jobs)
export const LogShard = faultyObject(worker.LogShard)
export const TaskQueue = faultyObject(worker.TaskQueue)
export const WorkPool = faultyObject(worker.WorkPool)

export default {
  fetch: (request: Request, bindings: Bindings, context: ExecutionContext) =>
    app.fetch(request, withD1Faults(bindings), context),
}

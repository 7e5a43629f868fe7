import type { Why } from '#core/wire/why.ts'
import { explainWait } from '#domain/why.ts'
import type { Home } from './home.ts'

/** Why a run that lives here waits; null when it does not live here. */
export function explainFlowRun(home: Home, id: string): Why | 'deleted' | null {
  const run = home.store.find(id)
  if (run === undefined) {
    return null
  }
  if (run.record.deleted) {
    return 'deleted'
  }
  const view = home.store.admissionView(home.now())
  const served = view.queues.filter((queue) => home.readiness.isServed(queue.id))
  return explainWait(run, {
    view,
    served: new Set(served.map((queue) => queue.id)),
    position: () => home.store.placeInLine(run),
  })
}

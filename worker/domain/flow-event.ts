import type { Flow } from '#core/wire/flow.ts'
import type { ObjectEvent } from './object-event.ts'

export function flowEvent(verb: 'created' | 'updated' | 'deleted', flow: Flow): ObjectEvent {
  const { id, name, tags, labels } = flow
  return { kind: 'flow', verb, id, name, payload: { name, tags, labels } }
}

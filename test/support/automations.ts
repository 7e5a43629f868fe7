import { formatTimestamp, type Micros } from '#core/time.ts'
import type { AutomationCreateInput } from '#core/wire/automation.ts'
import type { TriggeredAction } from '#domain/automation-events.ts'

/** What a request for an automation may say, valid by default: it does nothing when an event `start` comes. */
export function anAutomation(given: Partial<AutomationCreateInput> = {}): AutomationCreateInput {
  return {
    name: `automation ${crypto.randomUUID()}`,
    trigger: { type: 'event', posture: 'Reactive', expect: ['start'] },
    actions: [{ type: 'do-nothing' }],
    ...given,
  }
}

/** An action of an automation whose trigger has just fired by the event. */
export function aTriggeredAction(
  given: Pick<TriggeredAction, 'automation' | 'action' | 'triggering_event'> &
    Partial<TriggeredAction>,
  now: Micros,
): TriggeredAction {
  return {
    id: crypto.randomUUID(),
    action_index: 0,
    automation_triggered_event_id: crypto.randomUUID(),
    firing: {
      id: crypto.randomUUID(),
      trigger: given.automation.trigger,
      trigger_states: ['Triggered'],
      triggered: formatTimestamp(now),
      triggering_labels: {},
      triggering_firings: [],
      triggering_event: given.triggering_event,
      triggering_value: null,
    },
    ...given,
  }
}

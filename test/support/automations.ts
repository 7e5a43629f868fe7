import type { AutomationCreateInput } from '#core/wire/automation.ts'

/** What a request for an automation may say, valid by default: it does nothing when an event `start` comes. */
export function anAutomation(given: Partial<AutomationCreateInput> = {}): AutomationCreateInput {
  return {
    name: `automation ${crypto.randomUUID()}`,
    trigger: { type: 'event', posture: 'Reactive', expect: ['start'] },
    actions: [{ type: 'do-nothing' }],
    ...given,
  }
}

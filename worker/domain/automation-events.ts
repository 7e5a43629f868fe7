import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp, type Micros } from '#core/time.ts'
import type { Action } from '#core/wire/automation-action.ts'
import type { Automation } from '#core/wire/automation.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { Event, ReceivedEvent, ResourceLabels } from '#core/wire/event.ts'
import type { Firing } from './trigger-firings.ts'

/** One action that a firing asks for: all that is needed to carry it out, whatever becomes of the automation meanwhile. */
export interface TriggeredAction {
  /** The invocation. */
  id: string
  automation: Automation
  firing: Firing
  action: Action
  /** Its place among all actions of the firing. */
  action_index: number
  triggering_event: ReceivedEvent | null
  /** The event that says that the automation was triggered. */
  automation_triggered_event_id: string
}

/** What became of an action. */
export interface ActionOutcome {
  /** Undefined: it was carried out. */
  reason?: string
  details: JsonObject
  /** What it acted upon or made. */
  related: ResourceLabels[]
}

/**
 * How many automations an event has behind it, one that triggered the next; told by a label from the second on. Without a
 * bound, automations that fit each other's events would go on for ever.
 */
const CHAIN_LABEL = 'headgate.automation-chain'
const LONGEST_CHAIN = 3

/** What an automation tells of its own doing, which other automations may react to. */
const RUNTIME_EVENT = /^prefect\.automation\.(triggered|resolved|action\.\w+)$/

/** Events further apart do not name each other as `follows`, since nobody waits that long for the first. Prefect's number. */
const FOLLOWS_WITHIN_MICROS: Micros = 5 * 60 * MICROS_PER_SECOND

/** Whether an automation may react to an event: not to what it did itself, nor to the end of a long chain of others. */
export function mayTrigger(event: ReceivedEvent, automationId: string): boolean {
  return (
    chainLength(event) < LONGEST_CHAIN &&
    !(
      RUNTIME_EVENT.test(event.event) &&
      event.resource['prefect.resource.id'] === `prefect.automation.${automationId}`
    )
  )
}

/** What a firing asks for: an event for each new state of the automation, and its actions. */
export function consequences(
  automation: Automation,
  firing: Firing,
  newId: () => string,
): { events: Event[]; actions: TriggeredAction[] } {
  const states = (['Triggered', 'Resolved'] as const).filter((state) =>
    firing.trigger_states.includes(state),
  )
  const changes = states.map((state) => ({
    state,
    event: stateChangeEvent(automation, firing, state, newId()),
  }))
  const primary = changes[0]?.event.id ?? ''
  const asked = [
    ...automation.actions.map((action) => ({
      action,
      cause: firing.triggering_event,
      event: primary,
    })),
    ...changes.flatMap(({ state, event }) =>
      (state === 'Triggered' ? automation.actions_on_trigger : automation.actions_on_resolve).map(
        (action) => ({ action, cause: toReceived(event, firing.triggered), event: event.id }),
      ),
    ),
  ]
  return {
    events: changes.map(({ event }) => event),
    actions: asked.map(({ action, cause, event }, index) => ({
      id: newId(),
      automation,
      firing,
      action,
      action_index: index,
      triggering_event: cause,
      automation_triggered_event_id: event,
    })),
  }
}

/** Prefect's two events about an action that was carried out or failed. */
export function actionEvents(
  triggered: TriggeredAction,
  outcome: ActionOutcome,
  ids: { triggered: string; ended: string },
  now: Micros,
): Event[] {
  const { automation, firing, action, triggering_event } = triggered
  const { trigger } = automation
  const resource: ResourceLabels = {
    ...automationLabels(automation, firing),
    'prefect.trigger-type': trigger.type,
    ...(trigger.type === 'event' ? { 'prefect.posture': trigger.posture } : {}),
  }
  const related = [
    ...outcome.related,
    eventResource(triggered.automation_triggered_event_id, 'automation-triggered-event'),
    ...(triggering_event === null ? [] : [eventResource(triggering_event.id, 'triggering-event')]),
  ]
  const payload: JsonObject = {
    action_index: triggered.action_index,
    action_type: action.type,
    invocation: triggered.id,
  }
  return [
    {
      id: ids.triggered,
      occurred: firing.triggered,
      event: 'prefect.automation.action.triggered',
      resource,
      related,
      payload,
      follows: followed(triggering_event, firing),
    },
    {
      id: ids.ended,
      occurred: formatTimestamp(now),
      event: `prefect.automation.action.${outcome.reason === undefined ? 'executed' : 'failed'}`,
      resource,
      related,
      payload: {
        ...payload,
        ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
        ...outcome.details,
      },
      follows: ids.triggered,
    },
  ]
}

/** The key under which an action that makes a flow run makes it once. */
export function idempotencyKey({ automation, action_index, id }: TriggeredAction): string {
  return `automation ${automation.id}, action ${action_index}, invocation ${id}`
}

function stateChangeEvent(
  automation: Automation,
  firing: Firing,
  state: 'Triggered' | 'Resolved',
  id: string,
): Event {
  const { triggering_event, triggering_labels, trigger } = firing
  return {
    id,
    occurred: firing.triggered,
    event: `prefect.automation.${state.toLowerCase()}`,
    resource: {
      ...automationLabels(automation, firing),
      ...(trigger.type === 'event' ? { 'prefect.posture': trigger.posture } : {}),
    },
    related:
      triggering_event === null ? [] : [eventResource(triggering_event.id, 'triggering-event')],
    payload: {
      triggering_labels,
      triggering_event: triggering_event === null ? null : { ...triggering_event },
    },
  }
}

function automationLabels({ id, name }: Automation, { triggering_event }: Firing): ResourceLabels {
  const chain = (triggering_event === null ? 0 : chainLength(triggering_event)) + 1
  return {
    'prefect.resource.id': `prefect.automation.${id}`,
    'prefect.resource.name': name,
    ...(chain > 1 ? { [CHAIN_LABEL]: String(chain) } : {}),
  }
}

function chainLength(event: ReceivedEvent): number {
  return RUNTIME_EVENT.test(event.event) ? Math.max(1, Number(event.resource[CHAIN_LABEL]) || 1) : 0
}

function eventResource(id: string, role: string): ResourceLabels {
  return { 'prefect.resource.id': `prefect.event.${id}`, 'prefect.resource.role': role }
}

function followed(cause: ReceivedEvent | null, firing: Firing): string | null {
  if (cause === null) {
    return null
  }
  const apart = (parseTimestamp(firing.triggered) ?? 0) - (parseTimestamp(cause.occurred) ?? 0)
  return Math.abs(apart) < FOLLOWS_WITHIN_MICROS ? cause.id : null
}

function toReceived(event: Event, received: string): ReceivedEvent {
  return {
    ...event,
    related: event.related ?? [],
    payload: event.payload ?? {},
    follows: null,
    received,
  }
}

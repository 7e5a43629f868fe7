import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { Automation, AutomationExplanation } from '#core/wire/automation.ts'
import type { EventTrigger, Trigger } from '#core/wire/automation-trigger.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import { consequences, mayTrigger } from '#domain/automation-events.ts'
import {
  eventTriggers,
  judgeByEvent,
  judgeByTime,
  type Verdict,
} from '#domain/automation-evaluation.ts'
import { givenUp, inOrder } from '#domain/event-order.ts'
import { EXPIRED_BUCKET_MICROS, LOOKBACK_MICROS } from '#domain/trigger-buckets.ts'
import { allTriggers, type Firing } from '#domain/trigger-firings.ts'
import { keyLabels } from '#domain/trigger-matching.ts'
import { findAutomation, type StoredAutomation } from '#storage/automations.ts'
import { newId } from '#storage/new-id.ts'
import type { Workspace } from '#storage/workspace.ts'
import { ACTION_TABLES, HubActions } from './hub-actions.ts'
import { AUTOMATION_TABLES, HubAutomationStore } from './hub-automation-store.ts'
import { EVENT_MEMORY_TABLES, HubEventMemory } from './hub-event-memory.ts'
import { report } from '../operations/report.ts'

export const HUB_AUTOMATION_TABLES: readonly string[] = [
  ...AUTOMATION_TABLES,
  ...EVENT_MEMORY_TABLES,
  ...ACTION_TABLES,
]

/** A change that was announced so long ago and never sent is read from the store. */
const PULL_AFTER_MICROS: Micros = 2 * MICROS_PER_SECOND
/** By then its batch has long landed or failed, so that what was read is the last word. */
const FORGET_CHANGE_MICROS: Micros = 60 * MICROS_PER_SECOND
/** After the store could not be asked. */
const RETRY_MICROS: Micros = 5 * MICROS_PER_SECOND
/** No copy of a deleted automation comes later than this. */
const KEEP_DELETED_MICROS: Micros = 3600 * MICROS_PER_SECOND
/** Between two sweeps, which are made while events come. */
const SWEEP_MICROS: Micros = 600 * MICROS_PER_SECOND
/** As many windows are judged in one turn. */
const MOST_DUE = 500
const MOST_EXPLAINED = 20

/** A change of an automation, as it is told; null: it was deleted. */
export interface AutomationChange {
  id: string
  stored: StoredAutomation | null
}

interface Host {
  storage: DurableObjectStorage
  workspace: () => Workspace
  waitUntil: (promise: Promise<unknown>) => void
  /** What is due may have changed. */
  changed: () => void
}

/** Evaluates the workspace's automations: judges each event once, and silence when it is due, and has actions carried out. */
export class HubAutomations {
  readonly #storage: DurableObjectStorage
  readonly #workspace: () => Workspace
  readonly #store: HubAutomationStore
  readonly #memory: HubEventMemory
  readonly #actions: HubActions
  /** Those that are evaluated. */
  readonly #enabled = new Map<string, Automation>()
  readonly #triggers = new Map<string, { automation: Automation; trigger: EventTrigger }>()
  #nextSweep: Micros
  #lastNow = 0

  constructor(host: Host) {
    const { sql } = host.storage
    const now = (): Micros => this.#now()
    this.#storage = host.storage
    this.#workspace = host.workspace
    this.#store = new HubAutomationStore(sql, now)
    this.#memory = new HubEventMemory(sql, now)
    this.#actions = new HubActions({ ...host, sql, now })
    this.#nextSweep = now() + SWEEP_MICROS
    for (const automation of this.#store.listAutomations()) {
      this.#load(automation)
    }
  }

  // Configuration

  /** Notes, durably, that changes are being made in the store. */
  expectChange(ids: readonly string[]): void {
    const now = this.#now()
    for (const id of ids) {
      this.#store.markPending(id, now, now + PULL_AFTER_MICROS)
    }
  }

  /** Takes what is newer than what is here. */
  apply(changes: readonly AutomationChange[]): void {
    this.#storage.transactionSync(() => {
      for (const { id, stored } of changes) {
        this.#store.clearPending(id)
        this.#take(id, stored)
      }
    })
  }

  // Evaluation

  /** Judges an event, once, within the transaction that takes it in. */
  judgeEvent(event: ReceivedEvent): void {
    for (const ready of inOrder(event, this.#memory, this.#now())) {
      this.#judge(ready)
    }
  }

  /** Ends a batch of events, in the same turn. */
  endBatch(): void {
    this.#memory.write()
    if (this.#nextSweep <= this.#now()) {
      this.#sweep()
    }
  }

  /** When there is something to do, in milliseconds. */
  get due(): number | null {
    const dues = [this.#store.nextDue(), this.#memory.nextDue(), this.#actions.nextDue()]
    const known = dues.filter((due) => due !== null)
    return known.length === 0 ? null : Math.ceil(Math.min(...known) / 1000)
  }

  /** Does what is due. Never throws. */
  async onAlarm(): Promise<void> {
    try {
      await this.#pull()
      this.#storage.transactionSync(() => {
        this.#judgeDue()
        const parked = this.#memory.parkedUntil(this.#now() - LOOKBACK_MICROS)
        for (const event of givenUp(parked, this.#memory, this.#now())) {
          this.#judge(event)
        }
        this.#memory.write()
      })
      this.#actions.start()
    } catch (error) {
      report('automations could not be evaluated', error, { workspace_id: this.#workspace().id })
    }
  }

  /** What the triggers of an automation have made of events so far. */
  explain(id: string): AutomationExplanation {
    const automation = this.#store.findAutomation(id)?.automation ?? null
    const triggers = automation === null ? [] : allTriggers(automation.trigger)
    const root = this.#store.readNote(automation?.trigger.id ?? '')
    return {
      automation_id: id,
      evaluated: this.#enabled.has(id),
      firings: root?.firings ?? 0,
      last_fired: toTime(root?.last_fired ?? null),
      triggers: triggers.map((trigger) => this.#explainTrigger(trigger)),
      pending_actions: this.#actions
        .list(id)
        .map(({ pending, due }) => ({ ...pending, due: formatTimestamp(due) })),
      parked_events: this.#memory.parkedCount(),
      last_judged: this.#memory.last,
    }
  }

  #judge(event: ReceivedEvent): void {
    this.#memory.noteLast(event)
    for (const automation of this.#enabled.values()) {
      if (!mayTrigger(event, automation.id)) {
        continue
      }
      const { verdicts, firings } = judgeByEvent(
        automation.trigger,
        event,
        this.#store,
        this.#moment(),
      )
      for (const verdict of verdicts) {
        this.#noteVerdict(event, verdict)
      }
      this.#follow(automation, firings)
    }
  }

  #judgeDue(): void {
    for (const { triggerId, key } of this.#store.slotsDue(this.#now(), MOST_DUE)) {
      const owner = this.#triggers.get(triggerId)
      if (owner === undefined) {
        this.#store.removeSlot(triggerId, key)
        continue
      }
      const { automation, trigger } = owner
      const { fired, firings } = judgeByTime(
        automation.trigger,
        trigger,
        key,
        this.#store,
        this.#moment(),
      )
      if (fired > 0) {
        this.#store.note(triggerId, { events: 0, firings: fired })
      }
      this.#follow(automation, firings)
      this.#openWindow(automation, trigger)
    }
  }

  /** A Proactive trigger without `after` and `for_each` always has a window open: silence is what it waits for. */
  #openWindow(automation: Automation, trigger: EventTrigger): void {
    const { posture, after, for_each, id = '' } = trigger
    if (posture !== 'Proactive' || after.length > 0 || for_each.length > 0) {
      return
    }
    if (this.#store.readSlot(id, []).bucket === null) {
      judgeByTime(automation.trigger, trigger, [], this.#store, this.#moment())
    }
  }

  /** Queues what the firings of an automation ask for. */
  #follow(automation: Automation, firings: readonly Firing[]): void {
    for (const firing of firings) {
      const { events, actions } = consequences(automation, firing, () => newId(this.#now()))
      this.#actions.add(automation.id, events, actions)
      for (const part of compositeFirings(firing)) {
        this.#store.note(part.trigger.id ?? '', { events: 0, firings: 1 })
      }
    }
  }

  #noteVerdict(event: ReceivedEvent, { trigger, fired, slot }: Verdict): void {
    const { bucket } = slot
    const outcome =
      fired > 0
        ? 'fired'
        : bucket === null
          ? 'not counted'
          : `counted ${bucket.count} of ${trigger.threshold}`
    const { id, event: name, occurred } = event
    this.#store.note(trigger.id ?? '', {
      events: 1,
      firings: fired,
      lastEvent: { id, event: name, occurred, outcome },
    })
  }

  #explainTrigger(trigger: Trigger): AutomationExplanation['triggers'][number] {
    const id = trigger.id ?? ''
    const note = this.#store.readNote(id)
    const slots = trigger.type === 'event' ? this.#store.listSlots(id, MOST_EXPLAINED) : []
    return {
      trigger_id: id,
      type: trigger.type,
      events: note?.events ?? 0,
      firings: note?.firings ?? 0,
      last_event: note?.last_event ?? null,
      buckets: slots.flatMap(({ key, slot: { bucket } }) =>
        bucket === null || trigger.type !== 'event'
          ? []
          : [
              {
                for_each: keyLabels(trigger, key),
                start: formatTimestamp(bucket.start),
                end: formatTimestamp(bucket.end),
                count: bucket.count,
                threshold: trigger.threshold,
              },
            ],
      ),
      waiting_firings: this.#store.readWaiting(id).map((firing) => ({
        trigger_id: firing.trigger.id ?? '',
        triggered: firing.triggered,
      })),
    }
  }

  /** Reads from the store what was announced and never came. With the store away the hub goes on with what it knows. */
  async #pull(): Promise<void> {
    for (const { id, since } of this.#store.pendingUntil(this.#now())) {
      try {
        const stored = (await findAutomation(this.#workspace(), id)) ?? null
        this.#storage.transactionSync(() => {
          this.#take(id, stored)
          if (since <= this.#now() - FORGET_CHANGE_MICROS) {
            this.#store.clearPending(id)
          } else {
            this.#store.markPending(id, since, since + FORGET_CHANGE_MICROS)
          }
        })
      } catch (error) {
        report('a change of an automation could not be read', error, { automation_id: id })
        this.#store.markPending(id, since, this.#now() + RETRY_MICROS)
      }
    }
  }

  #take(id: string, stored: StoredAutomation | null): void {
    const before = this.#store.findAutomation(id)
    const version = stored?.version_number ?? Number.MAX_SAFE_INTEGER
    if (version <= (before?.version ?? 0)) {
      return
    }
    const after = stored?.automation ?? null
    this.#store.saveAutomation(id, version, after)
    const goesOn =
      before?.automation?.enabled === true &&
      after?.enabled === true &&
      before.automation.trigger.id === after.trigger.id
    this.#unload(id)
    if (!goesOn) {
      this.#store.forgetTriggers(id)
    }
    if (after !== null) {
      this.#load(after)
      for (const trigger of after.enabled ? eventTriggers(after.trigger) : []) {
        this.#openWindow(after, trigger)
      }
    }
    this.#memory.keep(this.#enabled.size > 0)
  }

  #load(automation: Automation): void {
    if (!automation.enabled) {
      return
    }
    this.#enabled.set(automation.id, automation)
    this.#store.own(automation)
    for (const trigger of eventTriggers(automation.trigger)) {
      this.#triggers.set(trigger.id ?? '', { automation, trigger })
    }
  }

  #unload(id: string): void {
    const automation = this.#enabled.get(id)
    this.#enabled.delete(id)
    for (const trigger of automation === undefined ? [] : eventTriggers(automation.trigger)) {
      this.#triggers.delete(trigger.id ?? '')
    }
  }

  #sweep(): void {
    const now = this.#now()
    this.#nextSweep = now + SWEEP_MICROS
    this.#store.sweep(now - EXPIRED_BUCKET_MICROS, now - 2 * LOOKBACK_MICROS)
    this.#store.forgetDeleted(now - KEEP_DELETED_MICROS)
    this.#memory.sweep()
  }

  #moment(): { now: Micros; newId: () => string } {
    const now = this.#now()
    return { now, newId: () => newId(now) }
  }

  /** Later at each call: what fires in one turn keeps its order. */
  #now(): Micros {
    this.#lastNow = Math.max(this.#lastNow + 1, Date.now() * 1000)
    return this.#lastNow
  }
}

function compositeFirings(firing: Firing): Firing[] {
  return firing.trigger.type === 'event'
    ? []
    : [firing, ...firing.triggering_firings.flatMap((part) => compositeFirings(part))]
}

function toTime(micros: string | null): string | null {
  return micros === null ? null : formatTimestamp(Number(micros))
}

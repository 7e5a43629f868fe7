import type { Micros } from '#core/time.ts'
import type { EventTrigger } from '#core/wire/automation-trigger.ts'
import type { Automation } from '#core/wire/automation.ts'
import type { ReceivedEvent } from '#core/wire/event.ts'
import type { TriggerMemory } from '#domain/automation-evaluation.ts'
import { withoutExpired, type Slot } from '#domain/trigger-buckets.ts'
import { allTriggers, type Firing } from '#domain/trigger-firings.ts'

/** The hub's tables for automations. Written and read here only, but for those of hub-actions and hub-event-memory. */
export const AUTOMATION_TABLES: readonly string[] = [
  // Copies of the automations. A null body is a deleted one, kept so that no late copy brings it back.
  `CREATE TABLE automation (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT, changed INTEGER NOT NULL
  ) WITHOUT ROWID`,
  // Changes that were announced and not yet sent, with when the store is asked for them.
  `CREATE TABLE pending_automation (
    id TEXT PRIMARY KEY, since INTEGER NOT NULL, due INTEGER NOT NULL
  ) WITHOUT ROWID`,
  // Times are microseconds; begin is null where events are held for a window that is not open; due is when silence is judged.
  `CREATE TABLE bucket (
    trigger_id TEXT NOT NULL, key TEXT NOT NULL, automation_id TEXT NOT NULL,
    begin INTEGER, until INTEGER, count INTEGER, last_event TEXT, held TEXT, due INTEGER, touched INTEGER NOT NULL,
    PRIMARY KEY (trigger_id, key)
  ) WITHOUT ROWID`,
  'CREATE INDEX bucket_by_due ON bucket (due) WHERE due IS NOT NULL',
  // Firings of the parts of composite triggers that wait for others.
  `CREATE TABLE waiting_firing (
    trigger_id TEXT PRIMARY KEY, automation_id TEXT NOT NULL, firings TEXT NOT NULL
  ) WITHOUT ROWID`,
  // What a trigger has made of events so far, to explain it.
  `CREATE TABLE trigger_note (
    trigger_id TEXT PRIMARY KEY, automation_id TEXT NOT NULL, events INTEGER NOT NULL, firings INTEGER NOT NULL,
    last_event TEXT, last_fired TEXT
  ) WITHOUT ROWID`,
]

export interface KeptAutomation {
  version: number
  automation: Automation | null
}

export interface TriggerNote {
  events: number
  firings: number
  last_event: { id: string; event: string; occurred: string; outcome: string } | null
  last_fired: string | null
}

type SlotRow = {
  trigger_id: string
  key: string
  begin: number | null
  until: number | null
  count: number | null
  last_event: string | null
  held: string | null
}

/** A row holds 2 MB at most, and an event may have 1.5 MB. */
const MAX_BODY_CHARS = 1_800_000

/** Events on their way may have occurred before the end of a window: so long is waited for them. */
const GRACE_MICROS: Micros = 2_000_000

export class HubAutomationStore implements TriggerMemory {
  readonly #sql: SqlStorage
  readonly #now: () => Micros

  constructor(sql: SqlStorage, now: () => Micros) {
    this.#sql = sql
    this.#now = now
  }

  // Automations

  listAutomations(): Automation[] {
    return this.#sql
      .exec<{ body: string }>('SELECT body FROM automation WHERE body IS NOT NULL')
      .toArray()
      .map(({ body }) => JSON.parse(body) as Automation)
  }

  findAutomation(id: string): KeptAutomation | undefined {
    const [row] = this.#sql
      .exec<{ version: number; body: string | null }>(
        'SELECT version, body FROM automation WHERE id = ?',
        id,
      )
      .toArray()
    return (
      row && {
        version: row.version,
        automation: row.body === null ? null : (JSON.parse(row.body) as Automation),
      }
    )
  }

  saveAutomation(id: string, version: number, automation: Automation | null): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO automation (id, version, body, changed) VALUES (?, ?, ?, ?)',
      id,
      version,
      automation === null ? null : JSON.stringify(automation),
      this.#now(),
    )
  }

  forgetDeleted(before: Micros): void {
    this.#sql.exec('DELETE FROM automation WHERE body IS NULL AND changed < ?', before)
  }

  markPending(id: string, since: Micros, due: Micros): void {
    this.#sql.exec(
      'INSERT OR REPLACE INTO pending_automation (id, since, due) VALUES (?, ?, ?)',
      id,
      since,
      due,
    )
  }

  clearPending(id: string): void {
    this.#sql.exec('DELETE FROM pending_automation WHERE id = ?', id)
  }

  pendingUntil(due: Micros): { id: string; since: Micros }[] {
    return this.#sql
      .exec<{ id: string; since: number }>(
        'SELECT id, since FROM pending_automation WHERE due <= ?',
        due,
      )
      .toArray()
  }

  // Triggers

  /** Nothing of before an automation's change counts after it. */
  forgetTriggers(automationId: string): void {
    for (const table of ['bucket', 'waiting_firing', 'trigger_note']) {
      this.#sql.exec(`DELETE FROM ${table} WHERE automation_id = ?`, automationId)
    }
  }

  readSlot(triggerId: string, key: readonly string[]): Slot {
    const [row] = this.#sql
      .exec<SlotRow & { due: number | null }>(
        'SELECT * FROM bucket WHERE trigger_id = ? AND key = ?',
        triggerId,
        JSON.stringify(key),
      )
      .toArray()
    if (row === undefined) {
      return { bucket: null, held: [] }
    }
    // The clock judges a window that has a due time; any other one is over when it has expired.
    return row.due === null ? withoutExpired(toSlot(row), this.#now()) : toSlot(row)
  }

  writeSlot(trigger: EventTrigger, key: readonly string[], slot: Slot): void {
    const { bucket, held } = slot
    const triggerId = trigger.id ?? ''
    if (bucket === null && held.length === 0) {
      this.#sql.exec(
        'DELETE FROM bucket WHERE trigger_id = ? AND key = ?',
        triggerId,
        JSON.stringify(key),
      )
      return
    }
    this.#sql.exec(
      `INSERT OR REPLACE INTO bucket
        (trigger_id, key, automation_id, begin, until, count, last_event, held, due, touched)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      triggerId,
      JSON.stringify(key),
      this.#ownerOf(triggerId),
      bucket?.start ?? null,
      bucket?.end ?? null,
      bucket?.count ?? null,
      // Only a Proactive trigger names the last event when it fires.
      bucket?.last_event && trigger.posture === 'Proactive' ? bounded(bucket.last_event) : null,
      held.length === 0 ? null : JSON.stringify(held),
      bucket !== null && trigger.posture === 'Proactive' ? bucket.end + GRACE_MICROS : null,
      this.#now(),
    )
  }

  slotsDue(by: Micros, most: number): { triggerId: string; key: string[] }[] {
    return this.#sql
      .exec<{ trigger_id: string; key: string }>(
        'SELECT trigger_id, key FROM bucket WHERE due <= ? ORDER BY due LIMIT ?',
        by,
        most,
      )
      .toArray()
      .map((row) => ({ triggerId: row.trigger_id, key: JSON.parse(row.key) as string[] }))
  }

  removeSlot(triggerId: string, key: readonly string[]): void {
    this.#sql.exec(
      'DELETE FROM bucket WHERE trigger_id = ? AND key = ?',
      triggerId,
      JSON.stringify(key),
    )
  }

  listSlots(triggerId: string, most: number): { key: string[]; slot: Slot }[] {
    return this.#sql
      .exec<SlotRow>(
        'SELECT * FROM bucket WHERE trigger_id = ? ORDER BY touched DESC LIMIT ?',
        triggerId,
        most,
      )
      .toArray()
      .map((row) => ({ key: JSON.parse(row.key) as string[], slot: toSlot(row) }))
  }

  readWaiting(triggerId: string): Firing[] {
    const [row] = this.#sql
      .exec<{ firings: string }>(
        'SELECT firings FROM waiting_firing WHERE trigger_id = ?',
        triggerId,
      )
      .toArray()
    return row === undefined ? [] : (JSON.parse(row.firings) as Firing[])
  }

  writeWaiting(triggerId: string, firings: readonly Firing[]): void {
    if (firings.length === 0) {
      this.#sql.exec('DELETE FROM waiting_firing WHERE trigger_id = ?', triggerId)
      return
    }
    this.#sql.exec(
      'INSERT OR REPLACE INTO waiting_firing (trigger_id, automation_id, firings) VALUES (?, ?, ?)',
      triggerId,
      this.#ownerOf(triggerId),
      bounded(firings),
    )
  }

  // What explains a trigger

  note(
    triggerId: string,
    told: { events: number; firings: number; lastEvent?: TriggerNote['last_event'] },
  ): void {
    this.#sql.exec(
      `INSERT INTO trigger_note (trigger_id, automation_id, events, firings, last_event, last_fired)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (trigger_id) DO UPDATE SET events = events + ?3, firings = firings + ?4,
          last_event = coalesce(?5, last_event), last_fired = coalesce(?6, last_fired)`,
      triggerId,
      this.#ownerOf(triggerId),
      told.events,
      told.firings,
      told.lastEvent === undefined ? null : JSON.stringify(told.lastEvent),
      told.firings === 0 ? null : String(this.#now()),
    )
  }

  readNote(triggerId: string): TriggerNote | undefined {
    const [row] = this.#sql
      .exec<{
        events: number
        firings: number
        last_event: string | null
        last_fired: string | null
      }>(
        'SELECT events, firings, last_event, last_fired FROM trigger_note WHERE trigger_id = ?',
        triggerId,
      )
      .toArray()
    return (
      row && {
        ...row,
        last_event:
          row.last_event === null
            ? null
            : (JSON.parse(row.last_event) as NonNullable<TriggerNote['last_event']>),
      }
    )
  }

  /** Lets go of windows that count nothing any more and of held events that no window will want. */
  sweep(closedBefore: Micros, heldBefore: Micros): void {
    this.#sql.exec(
      `DELETE FROM bucket WHERE due IS NULL
        AND ((held IS NULL AND until < ?) OR (held IS NOT NULL AND touched < ?))`,
      closedBefore,
      heldBefore,
    )
  }

  nextDue(): Micros | null {
    return this.#sql
      .exec<{ due: number | null }>(
        `SELECT min(due) AS due FROM (
          SELECT min(due) AS due FROM bucket WHERE due IS NOT NULL
          UNION ALL SELECT min(due) AS due FROM pending_automation)`,
      )
      .one().due
  }

  readonly #owners = new Map<string, string>()

  /** Says whose triggers these are, for what is written of them. */
  own(automation: Automation): void {
    for (const { id } of allTriggers(automation.trigger)) {
      this.#owners.set(id ?? '', automation.id)
    }
  }

  #ownerOf(triggerId: string): string {
    return this.#owners.get(triggerId) ?? ''
  }
}

function toSlot(row: SlotRow): Slot {
  const { begin, until, count, last_event, held } = row
  return {
    bucket:
      begin === null || until === null || count === null
        ? null
        : {
            start: begin,
            end: until,
            count,
            last_event: last_event === null ? null : (JSON.parse(last_event) as ReceivedEvent),
          },
    held: held === null ? [] : (JSON.parse(held) as Slot['held']),
  }
}

/** As JSON; where that is too long for a row, without the payloads of the events in it. */
export function bounded(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length <= MAX_BODY_CHARS
    ? text
    : JSON.stringify(value, (key, item: unknown) =>
        // An action's payload is a text.
        key === 'payload' && typeof item === 'object' ? {} : item,
      )
}

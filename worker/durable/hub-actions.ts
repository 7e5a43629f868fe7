import type { Micros } from '#core/time.ts'
import type { AutomationExplanation } from '#core/wire/automation.ts'
import type { Event } from '#core/wire/event.ts'
import {
  actionEvents,
  type ActionOutcome,
  type TriggeredAction,
} from '#domain/automation-events.ts'
import { newId } from '#storage/new-id.ts'
import type { Workspace } from '#storage/workspace.ts'
import { emitEvents } from '../operations/emit-events.ts'
import { runAction } from '../operations/run-action.ts'
import { bounded } from './hub-automation-store.ts'
import { report } from '../operations/report.ts'

/** Written and read here only. */
export const ACTION_TABLES: readonly string[] = [
  // What firings ask for, until it is done: actions, and events to emit. Due is when it is tried (again).
  `CREATE TABLE action (
    id TEXT PRIMARY KEY, automation_id TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL,
    error TEXT
  ) WITHOUT ROWID`,
]

/** What is to be done. An action that was done keeps its events, should they not have got through. */
type Job =
  | { kind: 'emit'; events: Event[] }
  | { kind: 'act'; triggered: TriggeredAction; event_ids: { triggered: string; ended: string } }

/** So many actions are under way at a time. */
const MOST_RUNNING = 10
/** Longer than any action may take: who was evicted in the middle of one tries it again after this. */
const LEASE_MICROS: Micros = 150_000_000
const LONGEST_ACTION_MS = 120_000
/** Waits before the next tries, in seconds; then the action has failed. Events are sent until they get through. */
const WAITS_SECONDS = [1, 5, 30, 120]

/**
 * Carries actions out, each at least once: a row stays until all is done. What is done twice after a crash is made once by
 * its key (a flow run) or is the same twice (a state, a pause); only a message may be sent twice.
 */
export class HubActions {
  readonly #sql: SqlStorage
  readonly #workspace: () => Workspace
  readonly #now: () => Micros
  readonly #waitUntil: (promise: Promise<unknown>) => void
  readonly #changed: () => void
  readonly #running = new Set<string>()

  constructor(host: {
    sql: SqlStorage
    workspace: () => Workspace
    now: () => Micros
    waitUntil: (promise: Promise<unknown>) => void
    changed: () => void
  }) {
    this.#sql = host.sql
    this.#workspace = host.workspace
    this.#now = host.now
    this.#waitUntil = host.waitUntil
    this.#changed = host.changed
  }

  /** Adds what a firing asks for, within the transaction that judges it. */
  add(automationId: string, events: Event[], actions: readonly TriggeredAction[]): void {
    this.#insert(newId(this.#now()), automationId, { kind: 'emit', events })
    for (const triggered of actions) {
      const event_ids = { triggered: newId(this.#now()), ended: newId(this.#now()) }
      this.#insert(triggered.id, automationId, { kind: 'act', triggered, event_ids })
    }
  }

  /** Starts what is due, as many as may run, and does not wait for them. */
  start(): void {
    const free = MOST_RUNNING - this.#running.size
    if (free <= 0) {
      return
    }
    const rows = this.#sql
      .exec<{ id: string; body: string; attempts: number }>(
        `SELECT id, body, attempts FROM action
          WHERE due <= ? AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY due, id LIMIT ?`,
        this.#now(),
        JSON.stringify([...this.#running]),
        free,
      )
      .toArray()
    for (const { id, body, attempts } of rows) {
      this.#sql.exec(
        'UPDATE action SET due = ?, attempts = attempts + 1 WHERE id = ?',
        this.#now() + LEASE_MICROS,
        id,
      )
      this.#running.add(id)
      this.#waitUntil(this.#run(id, JSON.parse(body) as Job, attempts))
    }
  }

  nextDue(): Micros | null {
    if (this.#running.size >= MOST_RUNNING) {
      return null
    }
    return this.#sql
      .exec<{ due: number | null }>(
        'SELECT min(due) AS due FROM action WHERE id NOT IN (SELECT value FROM json_each(?))',
        JSON.stringify([...this.#running]),
      )
      .one().due
  }

  list(
    automationId: string,
  ): { pending: AutomationExplanation['pending_actions'][number]; due: Micros }[] {
    return this.#sql
      .exec<{ id: string; body: string; attempts: number; due: number; error: string | null }>(
        'SELECT id, body, attempts, due, error FROM action WHERE automation_id = ? LIMIT 50',
        automationId,
      )
      .toArray()
      .flatMap(({ id, body, attempts, due, error }) => {
        const job = JSON.parse(body) as Job
        return job.kind === 'emit'
          ? []
          : [
              {
                due,
                pending: {
                  invocation: id,
                  action_index: job.triggered.action_index,
                  type: job.triggered.action.type,
                  attempts,
                  due: '',
                  last_error: error,
                },
              },
            ]
      })
  }

  async #run(id: string, job: Job, attempts: number): Promise<void> {
    let next: Job = job
    try {
      if (next.kind === 'act') {
        const outcome = await this.#act(next.triggered, attempts)
        next = {
          kind: 'emit',
          events: actionEvents(next.triggered, outcome, next.event_ids, this.#now()),
        }
      }
      await emitEvents(this.#workspace(), next.events, this.#now())
      this.#sql.exec('DELETE FROM action WHERE id = ?', id)
    } catch (error) {
      // Tried again after a wait; what is done already is not done again.
      report(`an automation's ${next.kind === 'act' ? 'action' : 'event'} is tried again`, error, {
        workspace_id: this.#workspace().id,
        action_id: id,
      })
      const wait = WAITS_SECONDS[Math.min(attempts, WAITS_SECONDS.length - 1)] ?? 1
      this.#sql.exec(
        'UPDATE action SET body = ?, due = ?, error = ? WHERE id = ?',
        bounded(next),
        this.#now() + wait * 1_000_000,
        String(error).slice(0, 500),
        id,
      )
    } finally {
      this.#running.delete(id)
      this.#changed()
    }
  }

  /** Throws what may pass; with the last try that is a failure as well. */
  async #act(triggered: TriggeredAction, attempts: number): Promise<ActionOutcome> {
    try {
      return await withTimeout(runAction(this.#workspace(), triggered, this.#now()))
    } catch (error) {
      if (attempts < WAITS_SECONDS.length) {
        throw error
      }
      const reason = error instanceof Error ? error.message : String(error)
      return {
        reason: `Gave up after ${attempts + 1} tries: ${reason}`,
        details: {},
        related: [],
      }
    }
  }

  #insert(id: string, automationId: string, job: Job): void {
    this.#sql.exec(
      'INSERT INTO action (id, automation_id, body, attempts, due) VALUES (?, ?, ?, 0, ?)',
      id,
      automationId,
      bounded(job),
      this.#now(),
    )
  }
}

async function withTimeout<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          reject(new Error(`no answer in ${LONGEST_ACTION_MS / 1000} seconds`))
        }, LONGEST_ACTION_MS)
      }),
    ])
  } finally {
    if (timer !== null) {
      clearTimeout(timer)
    }
  }
}

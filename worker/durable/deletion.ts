import { DurableObject } from 'cloudflare:workers'
import { formatTimestamp } from '#core/time.ts'
import type { Deletion as DeletionState } from '#core/wire/deletion.ts'
import { forgetOldDeletions, noteDeletion, type NewDeletion } from '#storage/deletions.ts'
import type { Bindings } from '#storage/workspace.ts'
import {
  describePart,
  FIRST,
  takeDeletionStep,
  type DeletionLeft,
} from '../operations/deletion-steps.ts'
import { report } from '../operations/report.ts'
import { migrate } from './migrate.ts'

const TABLES = [
  // One row: what is asked for, what is left, and when the next step is due, in milliseconds.
  `CREATE TABLE deletion (
    one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL, left TEXT NOT NULL,
    objects INTEGER NOT NULL, rows INTEGER NOT NULL, at INTEGER NOT NULL, tries INTEGER NOT NULL
  )`,
]

/** How many steps one alarm takes: the platform bounds the calls of one. */
const ALARM_STEPS = 4
const LONGEST_WAIT_MS = 60_000

interface Row extends Record<string, SqlStorageValue> {
  body: string
  left: string
  objects: number
  rows: number
  at: number
  tries: number
}

interface Kept {
  deletion: NewDeletion
  left: DeletionLeft
  objects: number
  rows: number
  at: number
  tries: number
}

/**
 * Deletes a workspace or an account: step by step, each kept before the next, so that it goes on wherever it was interrupted. It
 * belongs to none of the objects that it erases, tells the control store how far it is, and leaves nothing of itself.
 */
export class Deletion extends DurableObject<Bindings> {
  readonly #sql: SqlStorage
  #isAtWork = false
  /** Its table is gone as well. */
  #isOver = false

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    migrate(this.#sql, ctx.storage, [TABLES])
    // It may have died between a row and its alarm.
    this.#arm()
  }

  /** Begins, and ends all access before this answers, if the store lets it. */
  async begin(deletion: NewDeletion): Promise<DeletionState> {
    if (this.#read() === undefined) {
      this.#sql.exec(
        `INSERT INTO deletion (one, body, left, objects, rows, at, tries) VALUES (1, ?, ?, 0, 0, ?, 0)`,
        JSON.stringify(deletion),
        JSON.stringify(FIRST),
        Date.now(),
      )
      this.#arm()
    }
    while (this.#hasAccess() && (await this.#step())) {
      // The next one.
    }
    this.#arm()
    const kept = this.#read()
    const { id, account_id, workspace_id, created } = deletion
    return {
      id,
      account_id,
      workspace_id,
      created,
      state: 'RUNNING',
      message: null,
      objects: kept?.objects ?? 0,
      rows: kept?.rows ?? 0,
      finished: null,
    }
  }

  /** Never throws: an alarm that fails too often is given up by the platform. */
  override async alarm(): Promise<void> {
    for (let steps = 0; steps < ALARM_STEPS; steps += 1) {
      const kept = this.#read()
      if (kept === undefined || kept.at > Date.now() || !(await this.#step())) {
        break
      }
    }
    this.#arm()
  }

  #hasAccess(): boolean {
    const part = this.#read()?.left.part
    return part === 'list' || part === 'access'
  }

  /** Never throws. @returns whether it went on */
  async #step(): Promise<boolean> {
    const kept = this.#read()
    if (kept === undefined || this.#isAtWork) {
      return false
    }
    this.#isAtWork = true
    const { deletion, left } = kept
    try {
      const step = await takeDeletionStep(this.env, deletion, left, Date.now() * 1000)
      const objects = kept.objects + step.objects
      const rows = kept.rows + step.rows
      const finished = step.left === null ? formatTimestamp(Date.now() * 1000) : null
      if (left.part !== 'list') {
        const { message } = step
        await noteDeletion(this.env.DB, deletion.id, { objects, rows, message, finished })
      }
      if (step.left === null) {
        await this.#end()
      } else {
        const at = Date.now() + step.afterMs
        this.#write({ ...kept, left: step.left, objects, rows, at, tries: 0 })
      }
      return true
    } catch (error) {
      await this.#postpone(kept, error)
      return false
    } finally {
      this.#isAtWork = false
    }
  }

  async #postpone(kept: Kept, error: unknown): Promise<void> {
    const { deletion, left, objects, rows, tries } = kept
    const what = describePart(left)
    report(`a deletion failed ${what} and will be tried again`, error, {
      deletion_id: deletion.id,
      tries,
    })
    const wait = Math.min(1000 * 2 ** tries, LONGEST_WAIT_MS)
    this.#write({ ...kept, at: Date.now() + wait, tries: tries + 1 })
    const message = `It failed ${what}, and will be tried again.`
    // Where the store is what is away, it is told by the next step.
    await noteDeletion(this.env.DB, deletion.id, {
      objects,
      rows,
      message,
      finished: null,
    }).catch(() => undefined)
  }

  async #end(): Promise<void> {
    // Its rows say that others are done; they are let go of by whoever comes by.
    await forgetOldDeletions(this.env.DB, Date.now() * 1000).catch(() => undefined)
    this.#isOver = true
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  #read(): Kept | undefined {
    const [row] = this.#isOver ? [] : this.#sql.exec<Row>('SELECT * FROM deletion').toArray()
    return (
      row && {
        ...row,
        deletion: JSON.parse(row.body) as NewDeletion,
        left: JSON.parse(row.left) as DeletionLeft,
      }
    )
  }

  #write({ left, objects, rows, at, tries }: Kept): void {
    this.#sql.exec(
      'UPDATE deletion SET left = ?, objects = ?, rows = ?, at = ?, tries = ?',
      JSON.stringify(left),
      objects,
      rows,
      at,
      tries,
    )
  }

  #arm(): void {
    const at = this.#read()?.at
    if (at !== undefined) {
      void this.ctx.storage.setAlarm(Math.max(at, Date.now() + 1))
    }
  }
}

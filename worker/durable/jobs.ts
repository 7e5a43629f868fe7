import { DurableObject } from 'cloudflare:workers'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import {
  continueFlowDeletion,
  hideFlow,
  planFlowDeletion,
  type FlowDeletion,
} from '../operations/delete-flow.ts'
import { workspaceOf, type ObjectContext } from '../operations/object-context.ts'
import { CONTEXT_TABLE, ContextStore } from './context-store.ts'
import { migrate } from './migrate.ts'
import { report } from './report.ts'

const JOB_TABLE = `CREATE TABLE job (
  id TEXT PRIMARY KEY, body TEXT NOT NULL, at INTEGER NOT NULL, tries INTEGER NOT NULL
) WITHOUT ROWID`

/** What is left to do. */
type Job = { kind: 'delete_flow' } & FlowDeletion

interface JobRow extends Record<string, SqlStorageValue> {
  id: string
  body: string
  tries: number
}

/** How many steps one alarm takes: the platform bounds the calls of one, and a step makes up to 150. */
const ALARM_STEPS = 4
/** A job whose caller dies goes on after this. */
const TAKE_UP_AFTER_MS = 30_000
const LONGEST_WAIT_MS = 5 * 60_000

/**
 * Work that takes longer than a request: each job is a row that holds what is left, rewritten after each step, so that it
 * goes on wherever it was interrupted. A step may be repeated.
 */
export class Jobs extends DurableObject<Bindings> {
  readonly #context: ContextStore

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [[CONTEXT_TABLE, JOB_TABLE]])
    this.#context = new ContextStore(ctx.storage.sql)
  }

  /**
   * Deletes a flow with its deployments and runs: the flow before this answers, the rest after it.
   * @returns whether there was such a flow
   */
  async deleteFlow(context: ObjectContext, id: string): Promise<boolean> {
    this.#context.keep(context)
    const workspace = this.#workspace()
    const jobId = `delete_flow:${id}`
    const planned = await planFlowDeletion(workspace, id)
    const isBegun = this.#find(jobId) !== undefined
    if (!isBegun) {
      this.#save(jobId, { kind: 'delete_flow', ...planned }, TAKE_UP_AFTER_MS)
    }
    const left = await hideFlow(workspace, planned)
    if (left !== undefined) {
      this.#save(jobId, { kind: 'delete_flow', ...left }, 0)
    } else if (!isBegun) {
      this.#remove(jobId)
    }
    return left !== undefined
  }

  /** Never throws: an alarm that fails too often is given up by the platform. */
  override async alarm(): Promise<void> {
    for (let steps = 0; steps < ALARM_STEPS; steps += 1) {
      const row = this.#due()
      if (row === undefined) {
        break
      }
      try {
        await this.#step(row)
      } catch (error) {
        report(`job ${row.id} will be tried again`, error)
        const wait = Math.min(1000 * 2 ** row.tries, LONGEST_WAIT_MS)
        this.#postpone(row, wait)
      }
    }
    this.#arm()
  }

  async #step(row: JobRow): Promise<void> {
    const { kind: _kind, ...deletion } = JSON.parse(row.body) as Job
    const workspace = this.#workspace()
    // Its caller may have died before or after the flow was hidden; hiding it twice does nothing.
    const hidden = (await hideFlow(workspace, deletion)) ?? deletion
    const next = await continueFlowDeletion(workspace, hidden)
    if (next === null) {
      this.#remove(row.id)
    } else {
      this.#save(row.id, { kind: 'delete_flow', ...next.left }, next.afterMs)
    }
  }

  #workspace(): Workspace {
    const context = this.#context.read()
    if (context === undefined) {
      throw new Error('this object has never been called')
    }
    return workspaceOf(this.env, context)
  }

  // Rows

  #find(id: string): JobRow | undefined {
    return this.ctx.storage.sql.exec<JobRow>('SELECT * FROM job WHERE id = ?', id).toArray()[0]
  }

  #due(): JobRow | undefined {
    return this.ctx.storage.sql
      .exec<JobRow>('SELECT * FROM job WHERE at <= ? ORDER BY at LIMIT 1', Date.now())
      .toArray()[0]
  }

  #save(id: string, job: Job, afterMs: number): void {
    this.ctx.storage.sql.exec(
      'INSERT OR REPLACE INTO job (id, body, at, tries) VALUES (?, ?, ?, 0)',
      id,
      JSON.stringify(job),
      Date.now() + afterMs,
    )
    this.#arm()
  }

  #postpone(row: JobRow, wait: number): void {
    this.ctx.storage.sql.exec(
      'UPDATE job SET at = ?, tries = tries + 1 WHERE id = ?',
      Date.now() + wait,
      row.id,
    )
  }

  #remove(id: string): void {
    this.ctx.storage.sql.exec('DELETE FROM job WHERE id = ?', id)
  }

  #arm(): void {
    const { at } = this.ctx.storage.sql
      .exec<{ at: number | null }>('SELECT min(at) AS at FROM job')
      .one()
    if (at !== null) {
      void this.ctx.storage.setAlarm(Math.max(at, Date.now() + 1))
    }
  }
}

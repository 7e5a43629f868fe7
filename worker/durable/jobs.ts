import { DurableObject } from 'cloudflare:workers'
import type { Job } from '#core/wire/job.ts'
import { audited } from '#domain/audit.ts'
import { domainFault } from '#domain/errors.ts'
import { newId } from '#storage/new-id.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { hideFlow, planFlowDeletion, type DeletedFlow } from '../operations/delete-flow.ts'
import { JOB_KINDS } from '../operations/job-kinds.ts'
import { workspaceOf, type AskedBy, type ObjectContext } from '../operations/object-context.ts'
import { AUDIT_OUTBOX_TABLE, AuditOutbox } from './audit-outbox.ts'
import { CONTEXT_TABLE, ContextStore } from './context-store.ts'
import { eraseObject } from './erase.ts'
import { JOB_STEPS, JobStore, toJob, type KeptJob, type NewJob } from './job-store.ts'
import { migrate } from './migrate.ts'
import { report } from '../operations/report.ts'
import { retain } from '../operations/retention.ts'
import { RETENTION_TABLE, RetentionStore } from './retention-store.ts'

/** How many steps one alarm takes: the platform bounds the calls of one, and a step makes up to 200. */
const ALARM_STEPS = 4
/** A job whose caller dies, or a step that takes longer, is taken up after this. */
const TAKE_UP_AFTER_MS = 30_000
const LONGEST_WAIT_MS = 60_000
/** How often what has been kept long enough is looked for; the first time soon after the workspace is used. */
const RETENTION_EVERY_MS = 24 * 3_600_000
const FIRST_RETENTION_MS = 600_000
/** Between two steps of it: others come first. */
const RETENTION_PAUSE_MS = 1000
const RETENTION_RETRY_MS = 300_000

/**
 * Work that takes longer than a request: each job is a row that holds what is left, rewritten after each step, so that it
 * goes on wherever it was interrupted. A step may be repeated. What the kinds do stands in `operations/job-kinds.ts`.
 */
export class Jobs extends DurableObject<Bindings> {
  readonly #context: ContextStore
  readonly #store: JobStore
  readonly #audit: AuditOutbox
  readonly #retention: RetentionStore
  /** Whose step is being taken. */
  readonly #inHand = new Set<string>()

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env)
    migrate(ctx.storage.sql, ctx.storage, [
      [CONTEXT_TABLE, JOB_STEPS.first],
      JOB_STEPS.second,
      JOB_STEPS.third,
      RETENTION_TABLE,
      AUDIT_OUTBOX_TABLE,
    ])
    this.#audit = new AuditOutbox(ctx, env)
    this.#context = new ContextStore(ctx.storage.sql)
    this.#store = new JobStore(ctx.storage.sql)
    this.#retention = new RetentionStore(ctx.storage.sql)
    // It may have died between a row and its alarm.
    this.#arm()
  }

  /**
   * Begins a job; idempotent by its key.
   * @param steps how many steps are taken before this answers, for work that is likely to be small
   * @returns null when the key belongs to another request
   */
  async start(
    context: ObjectContext,
    job: NewJob,
    steps: number,
    asked: AskedBy | null = null,
  ): Promise<Job | null> {
    this.#context.keep(context)
    const before = job.key === null ? undefined : this.#store.findByKey(job.key)
    if (before !== undefined) {
      return isSame(before, job) ? toJob(before) : null
    }
    const now = Date.now() * 1000
    const id = newId(now)
    this.#store.add(id, job, now, Date.now() + (steps > 0 ? TAKE_UP_AFTER_MS : 0))
    const { kind, parameters, chosen = null } = job
    this.#audit.add(asked, audited('job', null, { id, name: kind, parameters, chosen }))
    this.#arm()
    const sent = this.#audit.sent()
    for (let step = 0; step < steps; step += 1) {
      const kept = this.#store.find(id)
      if (kept === undefined || kept.state !== 'RUNNING' || kept.tries > 0) {
        break
      }
      await this.#step(kept)
    }
    await sent
    this.#arm()
    return this.read(context, id)
  }

  read(_context: ObjectContext, id: string): Job | null {
    const kept = this.#store.find(id)
    return kept === undefined ? null : toJob(kept)
  }

  /** A job with what its steps have told so far. */
  readResult(context: ObjectContext, id: string): { job: Job; result: unknown } | null {
    this.#context.keep(context)
    const kept = this.#store.find(id)
    return kept === undefined ? null : { job: toJob(kept), result: kept.result }
  }

  /** The latest first. */
  list(_context: ObjectContext, limit: number): Job[] {
    return this.#store.list(limit).map(toJob)
  }

  /** Stops a job after the step that it is taking; one that is over, or must come to its end, stays as it is. */
  async cancel(
    context: ObjectContext,
    id: string,
    asked: AskedBy | null = null,
  ): Promise<Job | null> {
    const kept = this.#store.find(id)
    if (kept?.finished === null && JOB_KINDS[kept.kind].mustEnd !== true) {
      this.#store.end(id, 'CANCELLED', null, Date.now())
      const name = kept.kind
      const was = { id, name, state: kept.state }
      this.#audit.add(asked, audited('job', was, { id, name, state: 'CANCELLED' }))
      this.#arm()
      await this.#audit.sent()
    }
    return this.read(context, id)
  }

  /**
   * Deletes a flow with its deployments and runs: the flow before this answers, the rest after it.
   * @returns whether there was such a flow
   */
  async deleteFlow(
    context: ObjectContext,
    flowId: string,
    asked: AskedBy | null = null,
  ): Promise<boolean> {
    this.#context.keep(context)
    const workspace = this.#workspace()
    const planned = await planFlowDeletion(workspace, flowId)
    const begun = this.#store.findByKey(`delete_flow:${flowId}`)
    const now = Date.now() * 1000
    const id = begun?.id ?? newId(now)
    if (begun === undefined) {
      const parameters: DeletedFlow = { flow_id: flowId, trail: asked?.trail ?? null }
      const job: NewJob = {
        kind: 'delete_flow',
        parameters,
        key: `delete_flow:${flowId}`,
        left: planned,
      }
      this.#store.add(id, job, now, Date.now() + TAKE_UP_AFTER_MS)
      this.#arm()
    }
    const left = await hideFlow(workspace, planned, asked?.trail ?? null)
    if (left !== undefined) {
      this.#store.setLeft(id, left, Date.now())
    } else if (begun === undefined) {
      this.#store.remove(id)
    }
    this.#arm()
    return left !== undefined
  }

  /** Its workspace was deleted. */
  async erase(): Promise<void> {
    await eraseObject(this.ctx)
  }

  /** Somebody uses the workspace: from now on what has been kept long enough is looked for once a day. */
  expectRetention(context: ObjectContext): void {
    this.#context.keep(context)
    if (this.#retention.read() === undefined) {
      this.#retention.write(Date.now() + FIRST_RETENTION_MS, null)
      this.#arm()
    }
  }

  /** Never throws: an alarm that fails too often is given up by the platform. */
  override async alarm(): Promise<void> {
    for (let steps = 0; steps < ALARM_STEPS; steps += 1) {
      const next = this.#store.due(Date.now()).find(({ id }) => !this.#inHand.has(id))
      if (next === undefined) {
        break
      }
      if (next.state === 'RUNNING') {
        await this.#step(next)
      } else {
        this.#store.remove(next.id)
      }
    }
    await this.#audit.onAlarm()
    await this.#retain()
    this.#arm()
  }

  /** Takes one step of the look for what has been kept long enough, if it is time; never throws. */
  async #retain(): Promise<void> {
    const due = this.#retention.read()
    if (due === undefined || due.at > Date.now()) {
      return
    }
    try {
      const { left, isEmpty } = await retain(this.#workspace(), due.left, Date.now() * 1000)
      if (isEmpty) {
        this.#retention.clear()
      } else {
        const pause = left === null ? RETENTION_EVERY_MS : RETENTION_PAUSE_MS
        this.#retention.write(Date.now() + pause, left)
      }
    } catch (error) {
      report('what has been kept long enough could not be deleted', error, {
        workspace_id: this.#context.read()?.workspace_id,
      })
      this.#retention.write(Date.now() + RETENTION_RETRY_MS, due.left)
    }
  }

  /** Takes one step; never throws. */
  async #step(job: KeptJob): Promise<void> {
    this.#inHand.add(job.id)
    try {
      const { id, kind, parameters, left, result, created } = job
      const inHand = { id, parameters, left, result, created, now: Date.now() * 1000 }
      const step = await JOB_KINDS[kind].step(this.#workspace(), inHand)
      this.#store.advance(job, step, Date.now())
    } catch (error) {
      this.#onFailure(job, error)
    } finally {
      this.#inHand.delete(job.id)
    }
  }

  #onFailure(job: KeptJob, error: unknown): void {
    const fault = domainFault(error)
    if (fault !== undefined && fault.code !== 'unavailable') {
      this.#store.end(job.id, 'FAILED', fault.message, Date.now())
      return
    }
    report(`a job (${job.kind}) will be tried again`, error, { job_id: job.id, tries: job.tries })
    const wait = Math.min(1000 * 2 ** job.tries, LONGEST_WAIT_MS)
    this.#store.postpone(job, 'The last step failed; it will be tried again.', Date.now() + wait)
  }

  #workspace(): Workspace {
    const context = this.#context.read()
    if (context === undefined) {
      throw new Error('this object has never been called')
    }
    return workspaceOf(this.env, context)
  }

  #arm(): void {
    const later = Date.now() + TAKE_UP_AFTER_MS
    const times = this.#store
      .times()
      .map(({ id, at }) => (this.#inHand.has(id) ? Math.max(at, later) : at))
    const retention = this.#retention.read()
    if (retention !== undefined) {
      times.push(retention.at)
    }
    if (this.#audit.due !== null) {
      times.push(Math.ceil(this.#audit.due / 1000))
    }
    if (times.length > 0) {
      void this.ctx.storage.setAlarm(Math.max(Math.min(...times), Date.now() + 1))
    }
  }
}

/** Whether a request that came again asks for the same. */
function isSame(before: KeptJob, { kind, parameters }: NewJob): boolean {
  return before.kind === kind && JSON.stringify(before.parameters) === JSON.stringify(parameters)
}

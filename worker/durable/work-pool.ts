import { DurableObject } from 'cloudflare:workers'
import type { Micros } from '#core/time.ts'
import type { BackfillOrder } from '#domain/backfill.ts'
import type { HomeKey } from '#core/flow-run-id.ts'
import type {
  Accept,
  AcceptResult,
  Claim,
  ClaimResult,
  Finish,
  FinishResult,
  Renew,
  RenewResult,
} from '#core/wire/execution.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type {
  FlowRunInput,
  FlowRunInputCreate,
  FlowRunInputsQuery,
} from '#core/wire/flow-run-input.ts'
import type { Finding } from '#core/wire/diagnostics.ts'
import type { FlowRun, FlowRunUpdate } from '#core/wire/flow-run.ts'
import type { OrchestrationResult, SetState, State, StateCreate } from '#core/wire/state.ts'
import type { ScheduledFlowRunsQuery, WorkerFlowRun } from '#core/wire/work-queue.ts'
import type { ChangeOrder } from '#domain/bulk-change.ts'
import type { Why } from '#core/wire/why.ts'
import type { FlowRunRecord } from '#domain/flow-run.ts'
import type { DateWindow } from '#domain/scheduling.ts'
import type { HomeDeployment } from '#storage/deployments.ts'
import type { HomeWorkPool } from '#storage/work-pools.ts'
import type { Bindings } from '#storage/workspace.ts'
import type { AskedBy } from '../operations/object-context.ts'
import { isOfAgent } from './doorbell.ts'
import { eraseObject } from './erase.ts'
import { onAlarm } from './home-alarm.ts'
import { backfill, scheduleWithin, type BackfillStep } from './home-backfill.ts'
import * as bulk from './home-bulk.ts'
import * as config from './home-config.ts'
import { diagnose, findMissing, type Checked, type HomePart } from './home-diagnosis.ts'
import * as executions from './home-executions.ts'
import * as inputs from './home-inputs.ts'
import * as moves from './home-moves.ts'
import { scheduledFlowRuns } from './home-polls.ts'
import * as runs from './home-runs.ts'
import * as slots from './home-slots.ts'
import { explainFlowRun } from './home-why.ts'
import { Home, type HomeContext, type NewFlowRun, type Proposer } from './home.ts'
import type { ConfigKind } from './work-pool-store.ts'

export type { HomeContext, NewFlowRun, Proposer } from './home.ts'

/**
 * The home of flow runs: the only writer of its runs, one per work pool and a few per workspace for runs without a pool. What
 * it promises, its tables and its state diagrams stand in README.md; this class is its face.
 */
export class WorkPool extends DurableObject<Bindings> {
  readonly #home: Home

  constructor(state: DurableObjectState, bindings: Bindings) {
    super(state, bindings)
    this.#home = new Home(state, bindings)
  }

  // Runs

  async createFlowRuns(
    context: HomeContext,
    requests: NewFlowRun[],
    mayExist: boolean,
  ): Promise<{ run: FlowRun; created: boolean }[]> {
    return await runs.createFlowRuns(this.#of(context), requests, mayExist)
  }

  readFlowRun(context: HomeContext, id: string): FlowRun | 'deleted' | null {
    return runs.readFlowRun(this.#of(context), id)
  }

  executionEnd(context: HomeContext, id: string, fence: number): Micros | 'live' | null {
    return runs.executionEnd(this.#of(context), id, fence)
  }

  explainFlowRun(context: HomeContext, id: string): Why | 'deleted' | null {
    return explainFlowRun(this.#of(context), id)
  }

  readFlowRunStates(context: HomeContext, id: string): State[] | null {
    return runs.readFlowRunStates(this.#of(context), id)
  }

  findRunOfState(context: HomeContext, stateId: string): string | null {
    return runs.findRunOfState(this.#of(context), stateId)
  }

  async proposeState(
    context: HomeContext,
    id: string,
    request: SetState,
    proposer: Proposer,
    wait: boolean,
    renewsLeases = false,
    asked: AskedBy | null = null,
  ): Promise<OrchestrationResult | null> {
    const home = this.#of(context)
    return await runs.proposeState(home, id, request, proposer, wait, renewsLeases, asked)
  }

  async resumeFlowRun(
    context: HomeContext,
    id: string,
    input: JsonObject,
    asked: AskedBy | null = null,
  ): Promise<OrchestrationResult | null> {
    return await runs.resumeFlowRun(this.#of(context), id, input, asked)
  }

  async createInput(
    context: HomeContext,
    id: string,
    input: FlowRunInputCreate,
  ): Promise<boolean | null> {
    return await inputs.createInput(this.#of(context), id, input)
  }

  findInput(context: HomeContext, id: string, key: string): string | null {
    return this.#of(context).inputs.find(id, key)
  }

  listInputs(context: HomeContext, id: string, query: FlowRunInputsQuery): FlowRunInput[] {
    return this.#of(context).inputs.list(id, query)
  }

  inputsAfter(context: HomeContext, flowRunId: string, key: string, limit: number): FlowRunInput[] {
    return this.#of(context).inputs.after(flowRunId, key, limit)
  }

  removeInput(context: HomeContext, id: string, key: string): boolean {
    return this.#of(context).inputs.remove(id, key)
  }

  async endFlowRun(context: HomeContext, id: string, state: StateCreate): Promise<void> {
    await runs.endFlowRun(this.#of(context), id, state)
  }

  async updateFlowRun(
    context: HomeContext,
    id: string,
    update: FlowRunUpdate & { labels?: FlowRunRecord['labels'] },
  ): Promise<true | null | string> {
    return await runs.updateFlowRun(this.#of(context), id, update)
  }

  async deleteFlowRun(
    context: HomeContext,
    id: string,
    asked: AskedBy | null = null,
  ): Promise<{ flow_id: string; idempotency_key: string | null } | null> {
    return await runs.deleteFlowRun(this.#of(context), id, asked)
  }

  async deleteFlowRuns(
    context: HomeContext,
    chosen: bulk.ChosenRuns,
    asked: AskedBy | null = null,
  ): Promise<bulk.DeletedRun[]> {
    return await bulk.deleteFlowRuns(this.#of(context), chosen, asked)
  }

  async proposeStates(
    context: HomeContext,
    chosen: bulk.ChosenRuns,
    request: SetState,
    proposer: Proposer,
    asked: AskedBy | null = null,
  ): Promise<{ id: string; result: OrchestrationResult }[]> {
    return await bulk.proposeStates(this.#of(context), chosen, request, proposer, asked)
  }

  async createManyFlowRuns(
    context: HomeContext,
    requests: NewFlowRun[],
    reserved: string[],
  ): Promise<string[]> {
    return await bulk.createManyFlowRuns(this.#of(context), requests, reserved)
  }

  async changeFlowRuns(
    context: HomeContext,
    chosen: bulk.ChosenRuns,
    order: ChangeOrder,
  ): Promise<bulk.ChangedRun[]> {
    return await bulk.changeFlowRuns(this.#of(context), chosen, order)
  }

  async forgetFlowRuns(
    context: HomeContext,
    ids: string[],
    endedBefore: string,
  ): Promise<string[]> {
    return await bulk.forgetFlowRuns(this.#of(context), ids, endedBefore)
  }

  /** Somebody reads what the workspace has used. */
  async tellUsage(context: HomeContext): Promise<void> {
    await this.#of(context).usage.teller.tellRest()
  }

  // Executions

  async claim(
    context: HomeContext,
    request: Claim,
  ): Promise<ClaimResult | { unknown_queue: string } | { gone: true }> {
    return await executions.claim(this.#of(context), request)
  }

  accept(context: HomeContext, request: Accept): AcceptResult {
    return executions.accept(this.#of(context), request)
  }

  renew(context: HomeContext, request: Renew): RenewResult {
    return executions.renew(this.#of(context), request)
  }

  finish(context: HomeContext, request: Finish): FinishResult {
    return executions.finish(this.#of(context), request)
  }

  async scheduledFlowRuns(
    context: HomeContext,
    query: ScheduledFlowRunsQuery,
  ): Promise<WorkerFlowRun[] | { unknown_queue: string }> {
    return await scheduledFlowRuns(this.#of(context), query)
  }

  // Slots of deployments

  deploymentSlots(context: HomeContext, ids: string[]): Record<string, number> {
    return slots.deploymentSlots(this.#of(context), ids)
  }

  renewSlotLease(context: HomeContext, leaseId: string, seconds: number): boolean {
    return slots.renewSlotLease(this.#of(context), leaseId, seconds)
  }

  releaseSlotLease(context: HomeContext, leaseId: string): void {
    slots.releaseSlotLease(this.#of(context), leaseId)
  }

  /** The doorbell: a WebSocket that costs nothing while it waits. */
  override fetch(request: Request): Response {
    const context = request.headers.get('X-Home-Context')
    if (context === null || request.headers.get('Upgrade') !== 'websocket') {
      return new Response(null, { status: 400 })
    }
    const { searchParams } = new URL(request.url)
    return executions.openDoorbell(
      this.#of(JSON.parse(context) as HomeContext),
      {
        id: searchParams.get('agent_id') ?? '',
        name: searchParams.get('agent_name'),
        key_id: searchParams.get('key_id'),
      },
      searchParams.getAll('queue'),
    )
  }

  override webSocketMessage(): void {
    // An agent says nothing but `ping`, which the runtime answers.
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    // 1005 and 1006 may not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code)
    if (isOfAgent(socket)) {
      this.#home.readiness.closed()
    }
  }

  override webSocketError(socket: WebSocket): void {
    if (isOfAgent(socket)) {
      this.#home.readiness.closed()
    }
  }

  /** Keys were revoked. */
  closeDoorbells(context: HomeContext, keyIds: string[]): void {
    this.#of(context).doorbell.closeOfKeys(keyIds)
  }

  /** Somebody reads who serves the pool. */
  async refreshPresence(context: HomeContext): Promise<void> {
    await this.#of(context).readiness.refresh()
  }

  // Configuration and time

  expectChange(context: HomeContext, kind: ConfigKind, id: string): void {
    config.expectChange(this.#of(context), kind, id)
  }

  async applyWorkPool(context: HomeContext, id: string, pool: HomeWorkPool | null): Promise<void> {
    await config.applyWorkPool(this.#of(context), id, pool)
  }

  async applyDeployment(
    context: HomeContext,
    id: string,
    deployment: HomeDeployment | null,
  ): Promise<void> {
    const home = this.#of(context)
    await config.applyDeployment(home, id, deployment)
    await moves.arrive(home, home.moves.arrivalsOf(id))
  }

  expectArrival(context: HomeContext, id: string, from: HomeKey): void {
    moves.expectArrival(this.#of(context), id, from)
  }

  async releaseDeployment(
    context: HomeContext,
    id: string,
    asked: HomeKey[],
  ): Promise<moves.Handover | null> {
    return await moves.releaseDeployment(this.#of(context), id, asked)
  }

  async scheduleWithin(
    context: HomeContext,
    deploymentId: string,
    window: DateWindow,
  ): Promise<void> {
    await scheduleWithin(this.#of(context), deploymentId, window)
  }

  async backfill(
    context: HomeContext,
    order: BackfillOrder,
    from: Micros,
    limit: number,
  ): Promise<BackfillStep | null> {
    return await backfill(this.#of(context), order, from, limit)
  }

  /** A deployment that this home owns. */
  readDeployment(context: HomeContext, id: string): HomeDeployment | null {
    return config.ownDeployment(this.#of(context), id) ?? null
  }

  // Diagnostics

  async diagnose(
    context: HomeContext,
    part: HomePart,
    after: string | null,
    repair: boolean,
  ): Promise<Checked> {
    return await diagnose(this.#of(context), part, after, repair)
  }

  async findMissing(context: HomeContext, ids: string[], repair: boolean): Promise<Finding[]> {
    return await findMissing(this.#of(context), ids, repair)
  }

  /** Its workspace was deleted. */
  async erase(): Promise<void> {
    await eraseObject(this.ctx)
  }

  override alarm(): void {
    onAlarm(this.#home)
  }

  #of(context: HomeContext): Home {
    this.#home.know(context)
    return this.#home
  }
}

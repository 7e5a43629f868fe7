import { formatTimestamp, MICROS_PER_SECOND, type Micros } from '#core/time.ts'
import type { Action, ActionOf } from '#core/wire/automation-action.ts'
import type { ResourceLabels } from '#core/wire/event.ts'
import type { OrchestrationResult, StateCreate } from '#core/wire/state.ts'
import { flowRunOf, idOfFirst } from '#domain/action-target.ts'
import {
  idempotencyKey,
  type ActionOutcome,
  type TriggeredAction,
} from '#domain/automation-events.ts'
import type { ErrorCode } from '#domain/errors.ts'
import { DomainError } from '#domain/errors.ts'
import { listWorkPools } from '#storage/work-pools.ts'
import { findWorkQueue } from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { ActionFailed } from './action-failed.ts'
import { enableAutomation } from './change-automation.ts'
import { setDeploymentPaused } from './change-deployment.ts'
import { updateWorkPool } from './change-work-pool.ts'
import { updateWorkQueue } from './change-work-queue.ts'
import { createFlowRunFromDeployment } from './create-flow-run.ts'
import { deleteFlowRun } from './delete-flow-run.ts'
import { flowRunHome, flowRunNotFound } from './flow-run-home.ts'
import { renderParameters } from './render-action.ts'
import { sendMessage } from './send-message.ts'

/** A suspension by an automation ends by itself after this. Prefect's number. */
const SUSPENDED_MICROS: Micros = 3600 * MICROS_PER_SECOND

/** What carrying an action out needs. */
interface Work {
  workspace: Workspace
  triggered: TriggeredAction
  now: Micros
}

/**
 * Carries out an action of an automation, by the same operations as the API's routes. Throws what passes by itself (the store
 * is away): then it may be tried again.
 */
export async function runAction(
  workspace: Workspace,
  triggered: TriggeredAction,
  now: Micros,
): Promise<ActionOutcome> {
  const outcome: ActionOutcome = { details: {}, related: [] }
  try {
    await carryOut({ workspace, triggered, now }, triggered.action, outcome)
    return outcome
  } catch (error) {
    if (error instanceof ActionFailed) {
      return {
        ...outcome,
        reason: error.message,
        details: { ...outcome.details, ...error.details },
      }
    }
    const status = refusedStatus(error)
    if (status === undefined) {
      throw error
    }
    const reason = reasonOf(triggered.action.type, status, error)
    const details =
      status === 409 && triggered.action.type === 'run-deployment'
        ? { validation_error: messageOf(error) }
        : {}
    return {
      ...outcome,
      reason,
      details: { ...outcome.details, ...details, status_code: status },
    }
  }
}

async function carryOut(work: Work, action: Action, outcome: ActionOutcome): Promise<void> {
  const { workspace, now } = work
  switch (action.type) {
    case 'do-nothing':
      return
    case 'run-deployment':
      await runDeployment(work, action, outcome)
      return
    case 'pause-deployment':
    case 'resume-deployment': {
      const id = selectedOr(work, action.deployment_id, 'deployment')
      outcome.related.push(target('deployment', id))
      await setDeploymentPaused(workspace, id, action.type === 'pause-deployment', now)
      outcome.details['status_code'] = 200
      return
    }
    case 'pause-work-pool':
    case 'resume-work-pool':
      await pauseWorkPool(work, action, outcome)
      return
    case 'pause-work-queue':
    case 'resume-work-queue':
      await pauseWorkQueue(work, action, outcome)
      return
    case 'pause-automation':
    case 'resume-automation': {
      const id = selectedOr(work, action.automation_id, 'automation')
      outcome.related.push(target('automation', id))
      await enableAutomation(workspace, id, action.type === 'resume-automation', now)
      outcome.details['status_code'] = 204
      return
    }
    case 'cancel-flow-run':
    case 'suspend-flow-run':
    case 'change-flow-run-state':
      await setState(work, action, outcome)
      return
    case 'resume-flow-run': {
      const id = inferredFlowRun(work, outcome)
      const home = await flowRunHome(workspace, id)
      const result = await home.stub.resumeFlowRun(home.context, id, {})
      requireAccepted(result, 'resume flow run')
      return
    }
    case 'delete-flow-run': {
      const id = inferredFlowRun(work, outcome)
      await deleteFlowRun(workspace, id)
      outcome.details['status_code'] = 204
      return
    }
    case 'send-notification':
    case 'call-webhook':
      await sendMessage(workspace, work.triggered, action, outcome, now)
  }
}

async function runDeployment(
  { workspace, triggered, now }: Work,
  action: ActionOf<'run-deployment'>,
  outcome: ActionOutcome,
): Promise<void> {
  const id = selectedOr({ workspace, triggered, now }, action.deployment_id, 'deployment')
  outcome.related.push(target('deployment', id))
  const { automation } = triggered
  const { run, created } = await createFlowRunFromDeployment(
    workspace,
    { kind: 'automation', id: automation.id, name: automation.name },
    id,
    {
      state: {
        type: 'SCHEDULED',
        name: 'Scheduled',
        state_details: {
          scheduled_time: formatTimestamp(
            now + Math.round(action.schedule_after * MICROS_PER_SECOND),
          ),
        },
      },
      parameters: await renderParameters(workspace, triggered, action.parameters ?? {}, now),
      idempotency_key: idempotencyKey(triggered),
      ...(action.job_variables === null ? {} : { job_variables: action.job_variables }),
    },
    now,
  )
  outcome.details['status_code'] = created ? 201 : 200
  outcome.related.push({
    'prefect.resource.id': `prefect.flow-run.${run.id}`,
    'prefect.resource.role': 'flow-run',
    'prefect.resource.name': run.name,
  })
}

async function pauseWorkPool(
  work: Work,
  action: ActionOf<'pause-work-pool' | 'resume-work-pool'>,
  outcome: ActionOutcome,
): Promise<void> {
  const id = selectedOr(work, action.work_pool_id, 'work-pool')
  const { workspace, now } = work
  const [pool] = await listWorkPools(
    workspace,
    { id: { any_: [id] } },
    { limit: 1, offset: 0 },
    now,
  )
  if (pool === undefined) {
    throw new ActionFailed(`Work pool ${id} not found`)
  }
  outcome.related.push({ ...target('work-pool', id), 'prefect.resource.name': pool.name })
  const is_paused = action.type === 'pause-work-pool'
  await updateWorkPool(workspace, pool.name, { is_paused }, now)
  outcome.details['status_code'] = 204
}

async function pauseWorkQueue(
  work: Work,
  action: ActionOf<'pause-work-queue' | 'resume-work-queue'>,
  outcome: ActionOutcome,
): Promise<void> {
  const id = selectedOr(work, action.work_queue_id, 'work-queue')
  outcome.related.push(target('work-queue', id))
  const { workspace, now } = work
  const find = async () => {
    const found = await findWorkQueue(workspace, id, now)
    if (found === undefined) {
      throw new DomainError('not_found', 'Work queue not found')
    }
    return found
  }
  await updateWorkQueue(workspace, find, { is_paused: action.type === 'pause-work-queue' }, now)
  outcome.details['status_code'] = 204
}

async function setState(
  work: Work,
  action: ActionOf<'cancel-flow-run' | 'suspend-flow-run' | 'change-flow-run-state'>,
  outcome: ActionOutcome,
): Promise<void> {
  const id = inferredFlowRun(work, outcome)
  const { workspace, triggered, now } = work
  const home = await flowRunHome(workspace, id)
  const result = await home.stub.proposeState(
    home.context,
    id,
    {
      state: stateOf(action, triggered.automation.id, now),
      force: action.type === 'change-flow-run-state' && action.force,
    },
    { kind: 'key' },
    true,
  )
  outcome.details['status_code'] = result?.status === 'ACCEPT' ? 201 : 200
  requireAccepted(result, 'set state')
}

function stateOf(
  action: ActionOf<'cancel-flow-run' | 'suspend-flow-run' | 'change-flow-run-state'>,
  automationId: string,
  now: Micros,
): StateCreate {
  if (action.type === 'cancel-flow-run') {
    return { type: 'CANCELLING', message: `Cancelled by Automation ${automationId}` }
  }
  if (action.type === 'suspend-flow-run') {
    return {
      type: 'PAUSED',
      name: 'Suspended',
      message: `Suspended by Automation ${automationId}`,
      state_details: {
        pause_timeout: formatTimestamp(now + SUSPENDED_MICROS),
        pause_reschedule: true,
      },
    }
  }
  const message = action.message ?? `State changed by Automation ${automationId}`
  return { type: action.state, name: action.name, message }
}

function requireAccepted(result: OrchestrationResult | null, verb: string): void {
  if (result === null) {
    throw flowRunNotFound()
  }
  if (result.status !== 'ACCEPT') {
    const reason = 'reason' in result.details ? result.details.reason : null
    throw new ActionFailed(`Failed to ${verb}: ${reason ?? result.status}`)
  }
}

const NOUNS = {
  deployment: 'deployment',
  'work-pool': 'work pool',
  'work-queue': 'work queue',
  automation: 'automation',
}

function selectedOr(
  { triggered }: Work,
  selected: string | null,
  kind: keyof typeof NOUNS,
): string {
  const id = selected ?? idOfFirst(triggered.triggering_event, `prefect.${kind}`)
  if (id !== undefined) {
    return id
  }
  throw new ActionFailed(
    triggered.triggering_event === null
      ? `No event to infer the ${NOUNS[kind]}`
      : `No ${NOUNS[kind]} could be inferred`,
  )
}

function inferredFlowRun({ triggered }: Work, outcome: ActionOutcome): string {
  const id = flowRunOf(triggered)
  if (id === undefined) {
    throw new ActionFailed('No flow run could be inferred')
  }
  outcome.related.push(target('flow-run', id))
  return id
}

function target(kind: string, id: string): ResourceLabels {
  return { 'prefect.resource.id': `prefect.${kind}.${id}`, 'prefect.resource.role': 'target' }
}

const REFUSED: Partial<Record<ErrorCode, number>> = {
  not_found: 404,
  conflict: 409,
  invalid: 422,
  bad_request: 400,
  forbidden: 403,
  exhausted: 402,
}

/** The status with which the route would refuse; undefined: the fault is not the request's. An object's errors lose their class. */
function refusedStatus(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? REFUSED[error.code as ErrorCode]
    : undefined
}

/** As Prefect words it. */
function reasonOf(type: Action['type'], status: number, error: unknown): string {
  return status === 409 || status === 422
    ? `Validation error occurred for '${type}' - ${messageOf(error)}`
    : `Unexpected status from '${type}' action: ${status}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

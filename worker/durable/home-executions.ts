import { MICROS_PER_SECOND } from '#core/time.ts'
import { resolveJobConfiguration } from '#core/job-template.ts'
import type {
  Accept,
  AcceptResult,
  Claim,
  ClaimedRun,
  ClaimResult,
  ExecutionKey,
  Finish,
  FinishResult,
  Renew,
  RenewResult,
} from '#core/wire/execution.ts'
import { admit } from '#domain/admission.ts'
import {
  ACCEPT_SECONDS,
  acceptRun,
  claimRun,
  endExecution,
  IDLE_RENEW_SECONDS,
  isCurrent,
  LEASE_SECONDS,
  RENEW_SECONDS,
  renewRun,
  START_SECONDS,
  transit,
  type HomeRun,
} from '#domain/execution.ts'
import { OFFLINE_GRACE_SECONDS } from '#domain/run-timers.ts'
import { currentState, proposedState } from '#domain/flow-run.ts'
import { signRunToken } from '../operations/run-token.ts'
import { pullChanges, queueIds } from './home-config.ts'
import { judgeMissed } from './home-timers.ts'
import type { Home } from './home.ts'

const DEFAULT_GRACE_SECONDS = 30

/** A run token can't outlive this, whatever its execution does. */
const RUN_TOKEN_SECONDS = 30 * 24 * 3600

/**
 * Gives an agent runs that may start now, each under a lease and a new fence that are written before the answer leaves: an
 * answer that is lost costs a run `ACCEPT_SECONDS` and nothing else.
 */
export async function claim(
  home: Home,
  request: Claim,
): Promise<ClaimResult | { unknown_queue: string } | { gone: true }> {
  await pullChanges(home)
  if (home.store.isPoolDeleted()) {
    return { gone: true }
  }
  const queues = queueIds(home, request.work_queue_names)
  if (typeof queues === 'string') {
    return { unknown_queue: queues }
  }
  home.doorbell.answered(request.agent.agent_id)
  judgeMissed(home)
  const moment = home.moment()
  const admission = admit(
    home.store.admissionView(moment.now),
    request.limit,
    queues === null ? undefined : new Set(queues),
  )
  home.store.saveTurns(admission)
  for (const { id } of admission.cancelled) {
    const run = home.store.find(id)
    if (run !== undefined) {
      const state = proposedState(
        { type: 'CANCELLED', message: 'Deployment concurrency limit reached.' },
        moment.now,
      )
      home.save(transit(run, state, moment))
    }
  }
  const claimed = home.store
    .findMany(admission.admitted.map(({ id }) => id))
    .map((run) => claimRun(run, request.agent.agent_id, moment))
  for (const run of claimed) {
    home.save(run)
  }
  const version = home.doorbell.version
  home.presence.seen(request.agent, queues)
  home.afterChange()
  const order = new Map(admission.admitted.map(({ id }, index) => [id, index]))
  claimed.sort((a, b) => (order.get(a.record.id) ?? 0) - (order.get(b.record.id) ?? 0))
  return {
    runs: await Promise.all(claimed.map((run) => toClaimed(home, run))),
    renew: home.store
      .liveOfAgent(request.agent.agent_id)
      .some(({ record }) => record.state_type === 'CANCELLING'),
    version,
    accept_seconds: ACCEPT_SECONDS,
    lease_seconds: LEASE_SECONDS,
    renew_seconds: RENEW_SECONDS,
    offline_grace_seconds: OFFLINE_GRACE_SECONDS,
  }
}

export function accept(home: Home, request: Accept): AcceptResult {
  const moment = home.moment()
  const results = request.executions.map(({ flow_run_id, fence }) => {
    const run = home.store.find(flow_run_id)
    if (run === undefined) {
      return { flow_run_id, fence, answer: 'stop' as const, reason: 'there is no such run' }
    }
    const accepted = acceptRun(run, request.agent_id, fence, moment, startSeconds(home, run))
    if (accepted.run !== run) {
      home.save(accepted.run)
    }
    return accepted.answer === 'go'
      ? { flow_run_id, fence, answer: accepted.answer, reason: null }
      : { flow_run_id, fence, answer: accepted.answer, reason: accepted.reason }
  })
  home.afterChange()
  return { results }
}

/**
 * Renews all leases of an agent at once, and tells it what to do with each run that it says it runs. A run that it holds by
 * our books and does not name is no longer renewed: its lease runs out.
 */
export function renew(home: Home, request: Renew): RenewResult {
  const moment = home.moment()
  const results = request.executions.map(({ flow_run_id, fence }) => {
    const run = home.store.find(flow_run_id)
    if (run === undefined) {
      const reason = 'there is no such execution'
      return { flow_run_id, fence, answer: 'stop' as const, grace_seconds: null, reason }
    }
    const {
      answer,
      reason,
      run: renewed,
    } = renewRun(run, request.agent.agent_id, fence, moment, startSeconds(home, run))
    if (renewed !== run) {
      home.saveLease(run, renewed)
    }
    const grace = answer === 'cancel' ? graceSeconds(home, run) : null
    return { flow_run_id, fence, answer, grace_seconds: grace, reason }
  })
  home.presence.seen(request.agent, null)
  home.afterChange()
  const missing = request.reconcile === true ? unnamed(home, request) : undefined
  return {
    lease_seconds: LEASE_SECONDS,
    renew_seconds: results.length > 0 ? RENEW_SECONDS : IDLE_RENEW_SECONDS,
    offline_grace_seconds: OFFLINE_GRACE_SECONDS,
    results,
    ...(missing === undefined ? {} : { missing }),
  }
}

/**
 * What the agent should have by our books and does not name. It may have taken it since it wrote its list, so that only the
 * agent, asked for each by its fence, can prove that it is not there.
 */
function unnamed(home: Home, { agent, executions }: Renew): ExecutionKey[] {
  const named = new Set(executions.map(({ flow_run_id, fence }) => `${flow_run_id}.${fence}`))
  return home.store
    .liveOfAgent(agent.agent_id)
    .filter((run) => run.accepted && !named.has(`${run.record.id}.${run.fence}`))
    .map((run) => ({ flow_run_id: run.record.id, fence: run.fence }))
}

/** The proof that executions have ended. Idempotent by fence. Ending one and ringing for the next is one transaction. */
export function finish(home: Home, request: Finish): FinishResult {
  const moment = home.moment()
  const results = request.executions.map((end) => {
    const { flow_run_id, fence } = end
    const run = home.store.find(flow_run_id)
    if (run === undefined || !isCurrent(run, request.agent_id, fence)) {
      const state = run === undefined ? null : currentState(run.record)
      return { flow_run_id, fence, answer: 'stale' as const, state }
    }
    const ended = endExecution(run, end, moment)
    home.save(ended)
    return { flow_run_id, fence, answer: 'ended' as const, state: currentState(ended.record) }
  })
  home.afterChange()
  return { results }
}

/** An agent waits for runs of these queues; none named is all. `name`: its own; null when the Worker waits for it. */
export function openDoorbell(
  home: Home,
  agent: { id: string; name: string | null; key_id: string | null },
  names: string[],
): Response {
  const queues = queueIds(home, names.length === 0 ? null : names)
  if (typeof queues === 'string') {
    return Response.json({ detail: `work queue '${queues}' does not exist` }, { status: 404 })
  }
  const { id: agent_id, name, key_id } = agent
  const client = home.doorbell.open({ agent_id, key_id, name, queues }, home.now())
  if (agent.name !== null) {
    home.presence.opened({ name: agent.name, queues })
    home.readiness.opened()
  }
  // What became claimable, or was cancelled, between the agent's last call and now is told at once.
  home.ring()
  // An agent that comes back says what it really runs.
  if (home.store.liveOfAgent(agent.id).length > 0) {
    home.doorbell.callBack(agent.id)
  }
  home.arm()
  return new Response(null, { status: 101, webSocket: client })
}

async function toClaimed(home: Home, run: HomeRun): Promise<ClaimedRun> {
  const deployment =
    run.record.deployment_id === null ? undefined : home.store.deployment(run.record.deployment_id)
  const issued = Math.floor(home.now() / MICROS_PER_SECOND)
  const token = await signRunToken(home.bindings.HEADGATE_SECRET, {
    workspace_id: home.known().workspace_id,
    flow_run_id: run.record.id,
    fence: run.fence,
    home_key: home.known().home_key,
    issued,
    expires: issued + RUN_TOKEN_SECONDS,
  })
  return {
    flow_run: home.toWire(run),
    fence: run.fence,
    flow: deployment?.flow ?? null,
    deployment: deployment?.deployment ?? null,
    job_configuration: jobConfiguration(home, run),
    run_token: token,
  }
}

function jobConfiguration(home: Home, run: HomeRun): ClaimedRun['job_configuration'] {
  const deployment =
    run.record.deployment_id === null ? undefined : home.store.deployment(run.record.deployment_id)
  return resolveJobConfiguration(
    home.store.workPool()?.pool.base_job_template ?? {},
    deployment?.deployment.job_variables ?? null,
    run.record.job_variables,
  )
}

function graceSeconds(home: Home, run: HomeRun): number {
  const configured = jobConfiguration(home, run)['grace_seconds']
  return typeof configured === 'number' && configured >= 0 ? configured : DEFAULT_GRACE_SECONDS
}

/** How long a run may take from its accept to its first Running. */
function startSeconds(home: Home, run: HomeRun): number {
  if (run.accepted && !run.lost) {
    return START_SECONDS
  }
  const configured = jobConfiguration(home, run)['start_timeout_seconds']
  return typeof configured === 'number' && configured > 0 ? configured : START_SECONDS
}

import * as z from 'zod'
import { jsonObject, objectName, uuid } from './common.ts'
import { deployment } from './deployment.ts'
import { flow } from './flow.ts'
import { flowRun } from './flow-run.ts'
import { state } from './state.ts'

/**
 * The agent's link to its pool's home. An *execution* is one attempt at running a flow run, from its claim to its proved
 * end; the *fence* is its number. Whoever proposes something under an old fence is refused and stops its copy.
 */

/** How an agent presents itself; the id is its own, kept on its disk, so that it is the same agent after a restart. */
const agentIdentity = z.strictObject({
  agent_id: uuid,
  name: objectName,
  version: z.string(),
  /** How many runs it takes at once; null is no limit. */
  limit: z.int().positive().nullish(),
})
export type AgentIdentity = z.infer<typeof agentIdentity>

const executionKey = z.strictObject({ flow_run_id: uuid, fence: z.int().positive() })
export type ExecutionKey = z.infer<typeof executionKey>

export const claim = z
  .strictObject({
    agent: agentIdentity,
    /** Null or absent: all queues. */
    work_queue_names: z.array(z.string()).nullish(),
    /** The pool that the agent serves: 410 once it is deleted, whatever has its name then. */
    work_pool_id: uuid.nullish(),
    /** How many runs the agent has room for. */
    limit: z.int().min(1).max(100),
    /** Long poll: how many seconds to wait for a run (25 at most); 0 answers at once. */
    wait_seconds: z.number().min(0).max(25).optional(),
  })
  .meta({ id: 'Claim' })
export type Claim = z.infer<typeof claim>

/** All that is needed to start a run, so that nothing is asked between claim and start. */
export const claimedRun = z
  .object({
    flow_run: flowRun,
    fence: z.int(),
    flow: flow.nullable(),
    deployment: deployment.nullable(),
    /** The pool's base job template with the deployment's and the run's job variables, resolved. */
    job_configuration: jsonObject,
    /** The only credential that the run's process receives. It is the fence: it ends with the execution. */
    run_token: z.string(),
  })
  .meta({ id: 'ClaimedRun' })
export type ClaimedRun = z.infer<typeof claimedRun>

export const claimResult = z
  .object({
    runs: z.array(claimedRun),
    /** Something concerns a run that the agent holds: renew now. What the doorbell says to an agent that polls. */
    renew: z.boolean(),
    /** Pass it when the doorbell is opened: it rings at once if something has become claimable since. */
    version: z.int(),
    /** Seconds until a claimed run that is not accepted goes back to its queue. */
    accept_seconds: z.number(),
    /** Seconds that a lease lasts from its last renewal. */
    lease_seconds: z.number(),
    /** Seconds between renewals. */
    renew_seconds: z.number(),
    /** Seconds without a successful renewal after which a run must be stopped on its host. */
    offline_grace_seconds: z.number(),
  })
  .meta({ id: 'ClaimResult' })
export type ClaimResult = z.infer<typeof claimResult>

export const accept = z
  .strictObject({ agent_id: uuid, executions: z.array(executionKey).max(100) })
  .meta({ id: 'Accept' })
export type Accept = z.infer<typeof accept>

export const acceptResult = z
  .object({
    results: z.array(
      z.object({
        flow_run_id: z.string(),
        fence: z.int(),
        /** `go`: start it. `stop`: the execution is no longer current; start nothing. */
        answer: z.enum(['go', 'stop']),
        reason: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'AcceptResult' })
export type AcceptResult = z.infer<typeof acceptResult>

/** Heartbeat, renewal of all leases, and at reconnect the list of what really runs: one call. */
export const renew = z
  .strictObject({
    agent: agentIdentity,
    executions: z.array(executionKey).max(1000),
    /** These are all that the agent has: the answer names those that the home believes it to have besides. */
    reconcile: z.boolean().optional(),
  })
  .meta({ id: 'Renew' })
export type Renew = z.infer<typeof renew>

export const renewResult = z
  .object({
    lease_seconds: z.number(),
    renew_seconds: z.number(),
    offline_grace_seconds: z.number(),
    results: z.array(
      z.object({
        flow_run_id: z.string(),
        fence: z.int(),
        /** `keep`: go on. `cancel`: stop it with grace, then report the end. `stop`: not (or no longer) this agent's: kill it. */
        answer: z.enum(['keep', 'cancel', 'stop']),
        /** With `cancel`: seconds between SIGTERM and SIGKILL. */
        grace_seconds: z.number().nullable(),
        reason: z.string().nullable(),
      }),
    ),
    /** With `reconcile`: of these the agent reports the end, unless it has them after all. */
    missing: z.array(executionKey).optional(),
  })
  .meta({ id: 'RenewResult' })
export type RenewResult = z.infer<typeof renewResult>

/** The proof that an execution has ended: its process is gone. */
export const finish = z
  .strictObject({
    agent_id: uuid,
    executions: z
      .array(
        executionKey.extend({
          exit_code: z.int().nullish(),
          signal: z.string().nullish(),
          /** Why it ended, in words; shown as the state's message when the run had not ended by itself. */
          message: z.string().max(10_000).nullish(),
          /** The run never started: it was refused, or its infrastructure could not be made. */
          not_started: z.boolean().optional(),
          /** The agent stopped it because it is itself being stopped: the run may go back to its queue. */
          interrupted: z.boolean().optional(),
        }),
      )
      .max(100),
  })
  .meta({ id: 'Finish' })
export type Finish = z.infer<typeof finish>

export const finishResult = z
  .object({
    results: z.array(
      z.object({
        flow_run_id: z.string(),
        fence: z.int(),
        /** `ended`: recorded. `stale`: that execution had already ended or never was. */
        answer: z.enum(['ended', 'stale']),
        state: state.nullable(),
      }),
    ),
  })
  .meta({ id: 'FinishResult' })
export type FinishResult = z.infer<typeof finishResult>

/** Frames that the home sends on the doorbell. The agent sends only `ping`, which is answered `pong` without waking the home. */
export const doorbellFrame = z.discriminatedUnion('type', [
  /** Something is claimable: claim now. */
  z.object({ type: z.literal('work'), version: z.int() }),
  /** Something concerns a run that the agent holds (a cancellation, say): renew now. */
  z.object({ type: z.literal('renew') }),
])
export type DoorbellFrame = z.infer<typeof doorbellFrame>

import { randomInt } from 'node:crypto'
import { backoffMs, errorKind } from '../core/retry.ts'
import { isUuid } from '../core/uuid.ts'
import { sleep } from '../core/sleep.ts'
import { type ClaimedRun, claimedRun, type ClaimResult } from '../core/wire/execution.ts'
import { callPersistently, MAX_PAUSE_MS, noteFailure, sentence } from './calls.ts'
import type { Doorbell } from './doorbell.ts'
import { FatalError, toFatalError } from './fatal-error.ts'
import type { Driver } from './infra/driver.ts'
import { hostClock } from './infra/host-clock.ts'
import type { Leases, LeasesOptions } from './leases.ts'
import { Run, type RunContextOfAgent } from './run.ts'
import { createRunFolder, noteInOutput, runFolder } from './run-folder.ts'
import type { Runs } from './runs.ts'
import type { Trust } from './trust/trust.ts'

export interface PollOptions extends Omit<LeasesOptions, 'onMissing'> {
  /** The pool's id: another pool that gets its name when it is deleted is not for this agent. */
  workPoolId: string
  queues: string[] | undefined
  runs: Runs
  doorbell: Doorbell
  leases: Leases
  driver: Driver
  runsFolder: string
  headgateScript: string
  /** What this host lets the API have it do. */
  trust: Trust
  shared: RunContextOfAgent
  /** Aborts when no more runs are to be taken. */
  signal: AbortSignal
}

/** One claim brings at most this many (`core/wire/execution.ts`). */
const MAX_CLAIM = 100
const LONG_POLL_SECONDS = 25
/** Long enough not to ask over and over while a run takes its grace, short enough for runs that come meanwhile. */
const RENEWING_MS = 1000
/** The doorbell is given this long to open before the first long poll. */
const DOORBELL_PATIENCE_MS = 3000
/**
 * Claims are repeated after this time even when nobody has rung, should the home have lost count. Seldom, since an idle agent
 * must cost nothing: a connection that would swallow a ring is noticed by its pings, and rings when it is opened anew.
 */
const SAFETY_CLAIM_MS = 12 * 3_600_000

/** Claims runs and starts them, as long as there is room for them. Ends by the signal, or by throwing a FatalError. */
export async function poll(options: PollOptions): Promise<void> {
  const { signal, runs, log, doorbell } = options
  let failures = 0
  let bell: Promise<void> | undefined
  let emptyVersion = 0
  let canWait = false
  while (!signal.aborted) {
    try {
      await runs.until(() => runs.room > 0, signal)
      doorbell.forgetRings()
      const stamp = hostClock()
      const result = await claim(options, canWait && !doorbell.isOpen)
      if (failures > 0) {
        log.info('the API answers again')
      }
      failures = 0
      if (result.renew) {
        options.leases.renewNow()
      }
      if (result.runs.length > 0) {
        await take(options, result, stamp)
      } else {
        emptyVersion = result.version
        bell ??= doorbell
          .run(() => emptyVersion)
          .catch((error: unknown) => {
            log.error('the doorbell is broken; claiming by long poll', { error: sentence(error) })
          })
        await waitAtDoorbell(doorbell, canWait, signal)
        if (result.renew && !doorbell.isOpen) {
          // Until the run that is being cancelled has ended, each long poll is answered so, at once.
          await sleep(RENEWING_MS, signal).catch(() => undefined)
        }
        canWait = true
      }
    } catch (error) {
      if (signal.aborted) {
        break
      }
      if (error instanceof FatalError || errorKind(error) === 'fatal') {
        throw toFatalError(error)
      }
      failures += 1
      noteFailure(log, 'claim runs', failures, error)
      // A refusal is waited out like an outage: it may be made good.
      const waitMs = backoffMs(failures, error, Math.random(), { maxMs: MAX_PAUSE_MS })
      await sleep(waitMs, signal).catch(() => undefined)
    }
  }
}

async function claim(options: PollOptions, longPoll: boolean): Promise<ClaimResult> {
  const { client, pool, agent, queues, runs, signal } = options
  const result = await client.claim(
    pool,
    {
      agent,
      work_pool_id: options.workPoolId,
      work_queue_names: queues ?? null,
      limit: Math.min(runs.room, MAX_CLAIM),
      wait_seconds: longPoll ? LONG_POLL_SECONDS : 0,
    },
    signal,
  )
  if (!Array.isArray(result?.runs)) {
    throw new Error('the API answered a claim with something else than runs')
  }
  return result
}

/** Nothing was there. With an open doorbell waits for a ring; without one the next claim waits at the API. */
async function waitAtDoorbell(doorbell: Doorbell, isKnownClosed: boolean, signal: AbortSignal) {
  if (!doorbell.isOpen && !isKnownClosed) {
    await doorbell.waitUntil(() => doorbell.isOpen, DOORBELL_PATIENCE_MS, signal)
  }
  if (doorbell.isOpen) {
    const safetyMs = SAFETY_CLAIM_MS - randomInt(SAFETY_CLAIM_MS / 6)
    await doorbell.waitUntil(() => doorbell.hasRung || !doorbell.isOpen, safetyMs, signal)
  }
}

/** Writes each run down, asks for all of them whether they may be started, and starts those. */
async function take(options: PollOptions, result: ClaimResult, stamp: number): Promise<void> {
  const claims = new Map<Run, ClaimedRun | string>()
  await Promise.all(
    result.runs.map(async (claimed) => {
      const run = await writeDown(options, claimed)
      if (run !== undefined) {
        claims.set(run, problemOf(claimed) ?? options.trust.judge(claimed).refusal ?? claimed)
      }
    }),
  )
  if (claims.size === 0) {
    return
  }
  const go = await accept(options, [...claims.keys()])
  if (go === undefined) {
    for (const run of claims.keys()) {
      run.refuse('The agent was stopped before it could start the run.', true)
    }
    return
  }
  const lease = { stamp, graceSeconds: result.offline_grace_seconds }
  for (const [run, claimed] of claims) {
    if (!go.has(run)) {
      await run.discard('the API has given it to another agent, or it was cancelled')
    } else if (typeof claimed === 'string') {
      run.refuse(claimed)
    } else {
      await warn(options, run, claimed)
      const { apiUrl } = options.client
      const { headgateScript, trust } = options
      const { policy, pins: pinned } = trust
      run.begin(options.driver, { claimed, apiUrl, headgateScript, policy, pinned }, lease)
    }
  }
  options.leases.expectWithin(result.renew_seconds)
}

/** Says to the agent's log and to the run's what the host would rather have refused. */
async function warn({ trust, log }: PollOptions, run: Run, claimed: ClaimedRun): Promise<void> {
  const { warning } = trust.judge(claimed)
  if (warning !== undefined) {
    log.warn(warning, { flow_run: run.folder.flowRunId })
    await noteInOutput(run.folder, `Warning: ${warning}`).catch((error: unknown) => {
      log.error('a warning could not be added to the output of a run', { error: sentence(error) })
    })
  }
}

/** Undefined where the run is already held under this fence: a claim whose answer was lost is delivered again. */
async function writeDown(options: PollOptions, claimed: ClaimedRun): Promise<Run | undefined> {
  const { runs, runsFolder, shared, log } = options
  const { run_token: _, ...context } = claimed
  const id = claimed.flow_run?.id
  // The id names a folder.
  if (typeof id !== 'string' || !isUuid(id) || !Number.isInteger(claimed.fence)) {
    log.error('a claimed run without id or fence is ignored; is this agent too old for the API?')
    return undefined
  }
  if (runs.find(id, claimed.fence) !== undefined) {
    return undefined
  }
  const folder = runFolder(runsFolder, id, claimed.fence)
  try {
    await createRunFolder(folder, context)
  } catch (error) {
    // Without its folder it cannot be started; unaccepted, it goes back to its queue.
    log.error('a run cannot be written down on this host', { flow_run: id, error: sentence(error) })
    return undefined
  }
  const run = new Run(shared, folder, claimed.flow_run.name)
  runs.add(run)
  return run
}

function problemOf(claimed: ClaimedRun): string | undefined {
  const checked = claimedRun.safeParse(claimed)
  if (checked.success) {
    return undefined
  }
  const [issue] = checked.error.issues
  return `The agent cannot read the claim: ${issue?.path.join('.')}: ${issue?.message}. Update the agent.`
}

/**
 * The runs that may be started. The question is repeated until it is answered, since only the answer tells who has them;
 * undefined when the agent is told to stop before that.
 */
async function accept(options: PollOptions, runs: Run[]): Promise<Set<Run> | undefined> {
  const { client, pool, agent, log, signal } = options
  const executions = runs.map(({ folder }) => ({
    flow_run_id: folder.flowRunId,
    fence: folder.fence,
  }))
  try {
    const { results } = await callPersistently(
      () => client.accept(pool, { agent_id: agent.agent_id, executions }),
      { log, what: 'accept runs', signal },
    )
    const confirmed = new Set(
      results
        .filter(({ answer }) => answer === 'go')
        .map((answer) => `${answer.flow_run_id}.${answer.fence}`),
    )
    return new Set(
      runs.filter(({ folder }) => confirmed.has(`${folder.flowRunId}.${folder.fence}`)),
    )
  } catch (error) {
    if (error instanceof FatalError) {
      throw error
    }
    if (signal.aborted) {
      return undefined
    }
    log.error('the API refused to confirm claimed runs', { error: sentence(error) })
    return new Set()
  }
}

import type { Client } from '../core/client.ts'
import type { AgentLog } from './agent-log.ts'
import { sentence } from './calls.ts'
import { FatalError } from './fatal-error.ts'
import type { EndAnswer, Finishes } from './finishes.ts'
import {
  type Driver,
  type Ending,
  type Infrastructure,
  type Lease,
  RefusedRun,
  type RunOrder,
} from './infra/driver.ts'
import { OutputShipper } from './logs.ts'
import { acknowledge, beganAt, removeRunFolder, type RunFolder } from './run-folder.ts'
import type { Runs } from './runs.ts'
import { within } from './within.ts'

/** What all runs of an agent share. */
export interface RunContextOfAgent {
  client: Client
  log: AgentLog
  runs: Runs
  finishes: Finishes
  /** How long a run may take on this host; undefined: as long as it likes. */
  maxRunSeconds: () => { seconds: number; rule: string } | undefined
  /** Called with what ends the whole agent. */
  onFatal: (error: FatalError) => void
  /** Aborts when the agent's process is about to end: what is unfinished stays on the disk for the next one. */
  signal: AbortSignal
}

/** The report of an end does not wait longer than this for the last lines of output. */
const FLUSH_MS = 5000
/** Output that could not be sent so long after the end of its run is given up. */
const LATE_OUTPUT_MS = 10 * 60_000
/** SIGTERM to SIGKILL for a run that has had its time on this host. */
const OVERTIME_GRACE_SECONDS = 30
/** Beyond this Node's timers end at once: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

type Phase =
  /** Claimed; nothing may be started yet. */
  | 'claimed'
  /** The API has said go: it is being started, or runs. */
  | 'accepted'
  /** Nothing of it runs any more; its end is being reported. */
  | 'ended'

/** One execution of a flow run on this host. Nothing that goes wrong with it reaches the agent's loops. */
export class Run {
  readonly folder: RunFolder
  readonly name: string
  readonly #agent: RunContextOfAgent
  readonly #output: OutputShipper
  readonly #starting = new AbortController()
  #phase: Phase = 'claimed'
  #infrastructure: Infrastructure | undefined
  #lease: Lease | undefined
  #stop: { graceSeconds: number; interrupted: boolean } | undefined
  /** Begun by an agent's process that is no more. */
  #adopted = false
  #settled: Promise<void> = Promise.resolve()
  readonly #abandonOutput = () => {
    this.#agent.signal.removeEventListener('abort', this.#abandonOutput)
    this.#output.abandon()
  }

  constructor(agent: RunContextOfAgent, folder: RunFolder, name: string) {
    this.#agent = agent
    this.folder = folder
    this.name = name
    this.#output = new OutputShipper({ client: agent.client, log: agent.log, folder })
    agent.signal.addEventListener('abort', this.#abandonOutput, { once: true })
  }

  /** It takes one of the agent's places. */
  get occupies(): boolean {
    return this.#phase !== 'ended'
  }

  get isAccepted(): boolean {
    return this.#phase !== 'claimed'
  }

  /** Resolves when its end is reported and its folder removed. */
  get settled(): Promise<void> {
    return this.#settled
  }

  /** Starts it, now that the API has said go. Returns at once. */
  begin(driver: Driver, order: Omit<RunOrder, 'lease' | 'folder'>, lease: Lease): void {
    this.#phase = 'accepted'
    this.#lease = lease
    this.#agent.runs.changed()
    this.#settled = this.#live(async () => {
      await this.#endOthers()
      const started = await driver.start(
        { ...order, folder: this.folder, lease: () => this.#lease ?? lease },
        this.#starting.signal,
      )
      this.#agent.log.info('run started', { ...this.#label(), process: started.name })
      return started
    })
  }

  /** Takes over what an earlier process of this agent has begun; `undefined`: it had not come to start it. */
  adopt(infrastructure: Infrastructure | undefined): void {
    this.#phase = 'accepted'
    this.#adopted = true
    this.#settled = this.#live(() => Promise.resolve(infrastructure))
  }

  /** The claim was not confirmed: another has the run. Nothing was started. */
  async discard(reason: string): Promise<void> {
    this.#abandonOutput()
    this.#agent.runs.remove(this)
    this.#agent.log.info('run not started', { ...this.#label(), reason })
    await removeRunFolder(this.folder)
  }

  /**
   * Ends the execution without having started anything; the reason is shown at the run.
   * @param interrupted the agent is being stopped, so that the run may be started elsewhere
   */
  refuse(reason: string, interrupted = false): void {
    this.#phase = 'accepted'
    this.#stop = interrupted ? { graceSeconds: 0, interrupted } : undefined
    this.#settled = this.#live(() => Promise.reject(new RefusedRun(reason)))
  }

  extend(lease: Lease): void {
    this.#lease = lease
    this.#infrastructure?.extend(lease).catch((error: unknown) => {
      // The supervisor stops the run when this goes on; the next renewal tries again.
      this.#agent.log.error('lease not handed on', { ...this.#label(), error: sentence(error) })
    })
  }

  /**
   * Stops it: SIGTERM, and SIGKILL after the grace; 0 kills at once. Asked again, only a shorter grace changes something.
   * @param interrupted the agent itself is being stopped, so that the run may be started elsewhere
   */
  stop(graceSeconds: number, reason: string, interrupted = false): void {
    const shorter = this.#stop === undefined || graceSeconds < this.#stop.graceSeconds
    if (this.#phase !== 'accepted' || !shorter) {
      return
    }
    this.#agent.log.info(graceSeconds === 0 ? 'killing run' : 'stopping run', {
      ...this.#label(),
      reason,
    })
    this.#stop = { graceSeconds, interrupted: interrupted || this.#stop?.interrupted === true }
    this.#starting.abort(new RefusedRun(`The run was stopped before it had started: ${reason}.`))
    void this.#infrastructure?.stop(graceSeconds)
  }

  /** The whole life of an execution after `go`; never rejects. */
  async #live(start: () => Promise<Infrastructure | undefined>): Promise<void> {
    const { log, onFatal, runs, signal } = this.#agent
    try {
      const ending = await this.#runToEnd(start)
      signal.throwIfAborted()
      this.#phase = 'ended'
      runs.changed()
      const drained = this.#output.finish()
      await within(FLUSH_MS, drained)
      const answer = await this.#report(ending)
      await acknowledge(this.folder)
      log.info('run ended', {
        ...this.#label(),
        state: answer?.answer === 'stale' ? 'replaced' : answer?.state?.name,
        exit_code: ending.exitCode,
        signal: ending.signal,
        ...(ending.started ? {} : { reason: ending.message }),
      })
      runs.remove(this)
      await this.cleanUp(drained)
    } catch (error) {
      if (error instanceof FatalError) {
        onFatal(error)
      } else if (!signal.aborted) {
        log.error(
          'a run could not be brought to its end; the next start of the agent tries again',
          {
            ...this.#label(),
            error: sentence(error),
          },
        )
        runs.remove(this)
      }
    }
  }

  /** Removes the folder of an acknowledged execution once its output is sent, or has had its time. */
  async cleanUp(drained = this.#output.finish()): Promise<void> {
    await within(LATE_OUTPUT_MS, drained)
    this.#abandonOutput()
    if (!this.#agent.signal.aborted) {
      await removeRunFolder(this.folder)
    }
  }

  async #runToEnd(start: () => Promise<Infrastructure | undefined>): Promise<Ending> {
    try {
      this.#infrastructure = await start()
    } catch (error) {
      return notStarted(error instanceof RefusedRun ? error.message : unexpected(error))
    }
    if (this.#infrastructure === undefined) {
      return notStarted('The agent ended before it had started the process of the run.')
    }
    if (this.#stop !== undefined) {
      // It was asked for while the start could no longer be called off.
      void this.#infrastructure.stop(this.#stop.graceSeconds)
    }
    return await this.#endInTime(this.#infrastructure)
  }

  /** Waits for the end, and stops what takes longer than its host allows. */
  async #endInTime({ ended }: Infrastructure): Promise<Ending> {
    const limit = this.#agent.maxRunSeconds()
    if (limit === undefined) {
      return await ended
    }
    const past = Date.now() - (await beganAt(this.folder))
    let isOver = false
    const stop = () => {
      isOver = true
      this.stop(OVERTIME_GRACE_SECONDS, limit.rule)
    }
    const left = Math.max(0, limit.seconds * 1000 - past)
    const timer = left > LONGEST_TIMER_MS ? undefined : setTimeout(stop, left)
    timer?.unref()
    const ending = await ended
    clearTimeout(timer)
    return isOver ? { ...ending, message: `The run was stopped: ${limit.rule}.` } : ending
  }

  /** A newer fence is the proof that the older execution is not wanted any more: it must be gone before this one begins. */
  async #endOthers(): Promise<void> {
    const others = this.#agent.runs.others(this)
    for (const other of others) {
      other.stop(0, 'its execution has been replaced')
    }
    await this.#agent.runs.until(() => others.every((other) => !other.occupies), this.#agent.signal)
  }

  async #report(ending: Ending): Promise<EndAnswer | undefined> {
    const cancelled = this.#stop !== undefined && !this.#stop.interrupted
    // The agent that was to start it has died: nothing is wrong with the run.
    const orphaned = this.#adopted && !ending.started && !cancelled
    return await this.#agent.finishes.report({
      flow_run_id: this.folder.flowRunId,
      fence: this.folder.fence,
      exit_code: ending.exitCode,
      signal: ending.signal,
      message: ending.message.slice(0, 10_000),
      ...(ending.started || cancelled ? {} : { not_started: true }),
      ...(this.#stop?.interrupted === true || orphaned ? { interrupted: true } : {}),
    })
  }

  #label(): { flow_run: string; name: string } {
    return { flow_run: this.folder.flowRunId, name: this.name }
  }
}

function notStarted(message: string): Ending {
  return { exitCode: null, signal: null, started: false, message }
}

function unexpected(error: unknown): string {
  return `The run could not be started on the agent's host: ${sentence(error)}`
}

import type { ClaimedRun } from '../../core/wire/execution.ts'
import type { JsonObject } from '../../core/wire/common.ts'
import type { RunFolder } from '../run-folder.ts'
import type { HostPolicy } from '../trust/policy-file.ts'

/** Everything that a driver is told about a run that it is to start. */
export interface RunOrder {
  claimed: ClaimedRun
  folder: RunFolder
  apiUrl: string
  /** Absolute path of the `headgate` script. */
  headgateScript: string
  /** What this host allows, asked before anything is started. */
  policy?: HostPolicy | undefined
  /** The run's process must load the code that is ordered here, and not what it may be told of it elsewhere. */
  pinned?: boolean | undefined
  /** The lease as it is now: preparing a run can take several renewals. */
  lease: () => Lease
}

/** The right to run, as the last renewal left it. */
export interface Lease {
  /** `hostClock()` at the moment when the renewal (or the accept) was sent. */
  stamp: number
  /** Seconds from the stamp after which the run must no longer be executed on this host. */
  graceSeconds: number
}

/** How the infrastructure of a run ended; it is gone when this is known. */
export interface Ending {
  /** Null where a signal ended it, or where it is not known. */
  exitCode: number | null
  /** `SIGTERM`, say. */
  signal: string | null
  /** False: no code of the run was executed. */
  started: boolean
  /** A sentence for people. */
  message: string
}

/** One run's infrastructure: what was started, or found again after the agent's restart. */
export interface Infrastructure {
  /** How to find it again; the driver has saved it in the run's folder. */
  handle: JsonObject
  /** For `infrastructure_pid`: what people look for on the host. */
  name: string
  /** Whether it runs at this moment, as far as can be told at once. */
  isAlive(): boolean
  /** Resolves when all of it is gone; never rejects. */
  ended: Promise<Ending>
  /** Stops it: a polite signal, and after `graceSeconds` (0: at once) a forced end. Resolves when all of it is gone. */
  stop(graceSeconds: number): Promise<void>
  /** Hands on a renewed lease; without one the infrastructure stops itself. */
  extend(lease: Lease): Promise<void>
}

/** An infrastructure type: how its runs are started, found again and stopped. All state is in the run's folder. */
export interface Driver {
  /** The work pool type that it serves. */
  type: string
  /**
   * Starts the run. Idempotent by the run's folder: what has been started there already is returned, not started again.
   * @throws RefusedRun when the run cannot be started; nothing is left running then
   */
  start(order: RunOrder, signal: AbortSignal): Promise<Infrastructure>
  /** Finds what `start` began in this folder, alive or ended; undefined when it began nothing. */
  find(folder: RunFolder): Promise<Infrastructure | undefined>
}

/** The run cannot be started, and trying again would not help; the message says what to change. */
export class RefusedRun extends Error {
  override readonly name = 'RefusedRun'
}

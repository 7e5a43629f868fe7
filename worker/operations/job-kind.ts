import type { Micros } from '#core/time.ts'
import type { Workspace } from '#storage/workspace.ts'

/** A job as a step sees it. */
interface JobInHand<Parameters, Left> {
  id: string
  parameters: Parameters
  /** What the last step left; null before the first. */
  left: Left | null
  /** What the steps before have told; null when none has. */
  result: unknown
  /** When it was asked for. */
  created: Micros
  now: Micros
}

/** What a step has done, beyond what was told before. */
export interface JobStep<Left> {
  /** What is left to do, kept until the next step; null ends the job. */
  left: Left | null
  /** How long the next step waits. */
  afterMs?: number
  /** How many things the job is about, when that is first or better known. */
  chosen?: number
  done?: number
  /** What is to be read of the job, in place of what the steps before have told; stays after its end. */
  result?: unknown
  /** How many were left as they are, by reason. */
  skipped?: Readonly<Record<string, number>>
}

/**
 * One kind of long work. A step makes at most some 200 calls, takes seconds, and may be repeated: its job goes on from the `left`
 * that was kept last. It throws when it can't be done now, and is tried again; a `DomainError` other than `unavailable` ends the
 * job as failed.
 */
export interface JobKind<Parameters, Left> {
  /** Half done it would leave things that nobody can reach: it is not cancelled. */
  mustEnd?: true
  step: (workspace: Workspace, job: JobInHand<Parameters, Left>) => Promise<JobStep<Left>>
}

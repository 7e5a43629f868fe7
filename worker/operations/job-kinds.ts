import type { JobKindName } from '#core/wire/job.ts'
import { backfillJob } from './backfill-deployment.ts'
import { deleteFlowJob } from './delete-flow.ts'
import { diagnosticsJob } from './diagnose.ts'
import { changeFlowRunsJob } from './flow-run-jobs.ts'
import type { JobKind } from './job-kind.ts'
import { rotateKeyJob } from './rotate-key.ts'

/**
 * All kinds of long work. To add one: its name in `core/wire/job.ts`, a `JobKind` beside the operation it belongs to, a line
 * here, and whoever asks for it calls `jobsStub(workspace).start(...)`. Parameters and what is left are JSON, kept by the job's
 * row; a kind that has shipped must understand the rows of the release before it.
 */
export const JOB_KINDS: Record<JobKindName, AnyJobKind> = {
  backfill: any(backfillJob),
  delete_flow: any(deleteFlowJob),
  cancel_flow_runs: any(changeFlowRunsJob),
  pause_flow_runs: any(changeFlowRunsJob),
  retry_flow_runs: any(changeFlowRunsJob),
  delete_flow_runs: any(changeFlowRunsJob),
  diagnostics: any(diagnosticsJob),
  rotate_key: any(rotateKeyJob),
}

/** A kind whose values come from a row as JSON. */
export type AnyJobKind = JobKind<unknown, unknown>

function any<Parameters, Left>(kind: JobKind<Parameters, Left>): AnyJobKind {
  return {
    ...(kind.mustEnd === true ? { mustEnd: true } : {}),
    step: async (workspace, job) =>
      await kind.step(workspace, {
        ...job,
        parameters: job.parameters as Parameters,
        left: job.left as Left | null,
      }),
  }
}

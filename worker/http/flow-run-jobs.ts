import {
  type BulkChange,
  flowRunsChange,
  type FlowRunsChange,
  type FlowRunsChanged,
  flowRunsChanged,
  flowRunsPause,
  MAX_AT_ONCE,
} from '#core/wire/bulk.ts'
import type { Micros } from '#core/time.ts'
import { DomainError } from '#domain/errors.ts'
import { countChosenRuns } from '#storage/chosen-flow-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import { type FlowRunsOrder, selectionOf } from '../operations/flow-run-jobs.ts'
import { askedBy, objectContext } from '../operations/object-context.ts'
import { jobsStub } from '../operations/stubs.ts'
import { endpoint, type Api } from './endpoint.ts'

const CHANGES = [
  ['cancel', 'bulk_cancel', 'Cancel all flow runs that filters choose and that have not ended'],
  [
    'retry',
    'bulk_retry',
    'Run those that filters choose again that failed, crashed or were cancelled',
  ],
  ['delete', 'bulk_remove', 'Delete all flow runs that filters choose, with their logs'],
] as const

/** The steps of small work, taken before the answer: choose, change. */
const STEPS_AT_ONCE = 2

/** Changes of any number of runs: few before the answer (200), many by a job (202). */
export function addFlowRunJobRoutes(api: Api): void {
  for (const [change, name, summary] of CHANGES) {
    endpoint(
      api,
      {
        method: 'post',
        path: `/flow_runs/${name}`,
        tag: 'Flow runs',
        summary,
        body: flowRunsChange,
        answers: { 200: flowRunsChanged, 202: flowRunsChanged },
        errors: [409, 503],
      },
      async ({ workspace, body, now }) => await begin(workspace, change, body, null, now),
    )
  }
  endpoint(
    api,
    {
      method: 'post',
      path: '/flow_runs/bulk_pause',
      tag: 'Flow runs',
      summary: 'Pause all flow runs that filters choose and that run or have not begun',
      body: flowRunsPause,
      answers: { 200: flowRunsChanged, 202: flowRunsChanged },
      errors: [409, 503],
    },
    async ({ workspace, body: { timeout_seconds: timeout = null, ...body }, now }) =>
      await begin(workspace, 'pause', body, timeout, now),
  )
}

async function begin(
  workspace: Workspace,
  change: BulkChange,
  { dry_run, idempotency_key: key, ...filters }: FlowRunsChange,
  timeout: number | null,
  now: Micros,
): Promise<{ status: 200 | 202; body: FlowRunsChanged }> {
  const order: FlowRunsOrder = { change, filters, timeout_seconds: timeout }
  const chosen = await countChosenRuns(workspace, selectionOf(order, now))
  if (dry_run === true || (chosen === 0 && !key)) {
    return { status: 200, body: { chosen, job: null } }
  }
  const job = await jobsStub(workspace).start(
    objectContext(workspace),
    {
      kind: `${change}_flow_runs`,
      parameters: order,
      key: key ? `flow_runs:${key}` : null,
      chosen,
    },
    chosen <= MAX_AT_ONCE ? STEPS_AT_ONCE : 0,
    askedBy(workspace),
  )
  if (job === null) {
    throw new DomainError(
      'conflict',
      `The idempotency key '${String(key)}' belongs to another request; take a new one.`,
    )
  }
  return {
    status: job.finished === null ? 202 : 200,
    body: { chosen: job.chosen ?? chosen, job },
  }
}

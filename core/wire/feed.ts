import * as z from 'zod'
import { flowRunRow } from './flow-run.ts'
import { taskRun } from './task-run.ts'

/**
 * The change feed of a workspace: a WebSocket at `/feed`, subprotocol `prefect`. The client sends `{type:"auth",token}`, is
 * answered `{type:"auth_success"}`, then sends `subscribe` (again whenever its screen changes).
 */
export const feedSubscribe = z.object({
  type: z.literal('subscribe'),
  /** `flow_runs` (all of the workspace), `flow_run:<id>` (that run, its task runs and its logs). */
  topics: z.array(z.string()).max(20),
  /** The last version seen; what changed since is sent first. Absent: only what changes from now on. */
  since: z.int().nullish(),
})
export type FeedSubscribe = z.infer<typeof feedSubscribe>

const feedFrame = z.discriminatedUnion('type', [
  /** Too much has changed since the version that was asked for: load the screen again. */
  z.object({ type: z.literal('reset'), version: z.int() }),
  z.object({ type: z.literal('subscribed'), version: z.int() }),
  z.object({ type: z.literal('flow_runs'), version: z.int(), rows: z.array(flowRunRow) }),
  z.object({
    type: z.literal('flow_runs_deleted'),
    version: z.int(),
    ids: z.array(z.string()),
  }),
  z.object({
    type: z.literal('task_runs'),
    version: z.int(),
    flow_run_id: z.string(),
    task_runs: z.array(taskRun),
  }),
  /** New log lines of the run stand in the store; read them from `/logs/filter`. */
  z.object({ type: z.literal('logs'), version: z.int(), flow_run_id: z.string() }),
])
export type FeedFrame = z.infer<typeof feedFrame>

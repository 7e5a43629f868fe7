import * as z from 'zod'
import { timestamp, uuid } from './common.ts'
import { jobState } from './job.ts'

/** What may differ between the objects that own a workspace's state and the copies of it. */
const findingKind = z.enum([
  /** D1 has an older version of a run than its home, or none. */
  'flow_run_behind',
  /** D1 has a newer version of a run than its home: the home was restored. */
  'flow_run_ahead',
  /** D1 lacks what a run became before it left its home: D1 was restored. */
  'ended_flow_run_behind',
  /** D1 has a run that is not over, of which its home knows nothing: no timer of it ever rings. */
  'flow_run_not_at_home',
  /** D1 has a run whose id names no home of this workspace. */
  'flow_run_without_home',
  'task_run_behind',
  'task_run_ahead',
  'ended_task_run_behind',
  /** A pool or a deployment was changed, and its home has not heard of it. */
  'configuration_behind',
  /** A home knows a newer version than D1: D1 was restored. */
  'configuration_ahead',
  /** A home has a pool or a deployment that D1 does not have. */
  'configuration_gone',
  /** Runs wait in a queue that their pool does not have. */
  'queue_gone',
  /** An object has something to do at a time for which no alarm is set. */
  'alarm_missing',
  /** A run's state, or its lease, has an end for which no timer is set. */
  'timer_missing',
  /** The live executions that limits count are not those of the table. */
  'slots_miscounted',
  /** A slot of a limit is held by a run that is over. */
  'lease_of_ended',
  /** A slot of a limit is held by a run that nobody knows. */
  'lease_of_unknown',
])
export type FindingKind = z.infer<typeof findingKind>

const finding = z
  .object({
    kind: findingKind,
    /** Who was looked at: `home <key>`, `event stream <number>`, `concurrency limits`, `store`. */
    object: z.string(),
    /** Of the run, deployment, pool, queue, lease or limit that it is about. */
    id: z.string().nullable(),
    /** What the object says. */
    home: z.string().nullable(),
    /** What D1, or what is set beside it, says. */
    store: z.string().nullable(),
    repaired: z.boolean(),
    /** For a person, in a sentence. */
    what_to_do: z.string(),
  })
  .meta({ id: 'DiagnosticFinding' })
export type Finding = z.infer<typeof finding>

export const diagnosticsRequest = z
  .strictObject({
    /** Mend what can be mended; otherwise it is only named. */
    repair: z.boolean().optional(),
  })
  .meta({ id: 'DiagnosticsRequest' })
export type DiagnosticsRequest = z.infer<typeof diagnosticsRequest>

/** What was found so far; kept by the job. */
export const diagnosis = z.object({
  repair: z.boolean(),
  /** How many things were compared, by what they are. */
  checked: z.record(z.string(), z.int()),
  /** All differences, also those beyond the list. */
  counts: z.record(z.string(), z.object({ found: z.int(), repaired: z.int() })),
  /** The first of each kind. */
  findings: z.array(finding),
})
export type Diagnosis = z.infer<typeof diagnosis>

export const diagnostics = diagnosis
  .extend({
    id: uuid,
    state: jobState,
    message: z.string().nullable(),
    created: timestamp,
    finished: timestamp.nullable(),
  })
  .meta({ id: 'Diagnostics' })
export type Diagnostics = z.infer<typeof diagnostics>

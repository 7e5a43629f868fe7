import * as z from 'zod'
import { durationSeconds } from './duration.ts'
import { json, jsonObject, uuid } from './common.ts'
import { stateType } from './state.ts'

const source = z.enum(['selected', 'inferred']).default('selected')
const selectedId = uuid.nullable().default(null)

type Selecting = 'deployment_id' | 'work_pool_id' | 'work_queue_id' | 'automation_id'

/** A selected object is named by its id, an inferred one must not be. */
function selects<T extends z.ZodType<{ source: 'selected' | 'inferred' }>>(
  schema: T,
  field: Selecting,
): T {
  return schema.superRefine((value, context) => {
    const hasId = (value as Partial<Record<Selecting, unknown>>)[field] !== null
    if ((value.source === 'selected') !== hasId) {
      const message = `${field} is ${hasId ? 'not allowed' : 'required'}`
      context.addIssue({ code: 'custom', path: [], message, input: value })
    }
  })
}

const doNothing = z.object({ type: z.literal('do-nothing') }).meta({ id: 'DoNothing' })

const runDeployment = selects(
  z.object({
    type: z.literal('run-deployment'),
    source,
    deployment_id: selectedId,
    parameters: jsonObject.nullable().default(null),
    job_variables: jsonObject.nullable().default(null),
    /** Seconds. */
    schedule_after: durationSeconds
      .refine((seconds) => seconds >= 0, 'schedule_after must not be negative')
      .default(0),
  }),
  'deployment_id',
).meta({ id: 'RunDeployment' })

const pauseDeployment = selects(
  z.object({ type: z.literal('pause-deployment'), source, deployment_id: selectedId }),
  'deployment_id',
).meta({ id: 'PauseDeployment' })

const resumeDeployment = selects(
  z.object({ type: z.literal('resume-deployment'), source, deployment_id: selectedId }),
  'deployment_id',
).meta({ id: 'ResumeDeployment' })

const cancelFlowRun = z.object({ type: z.literal('cancel-flow-run') }).meta({ id: 'CancelFlowRun' })
const deleteFlowRun = z.object({ type: z.literal('delete-flow-run') }).meta({ id: 'DeleteFlowRun' })
const suspendFlowRun = z
  .object({ type: z.literal('suspend-flow-run') })
  .meta({ id: 'SuspendFlowRun' })
const resumeFlowRun = z
  .object({ type: z.literal('resume-flow-run') })
  .meta({ id: 'ResumeFlowRunAction' })

const changeFlowRunState = z
  .object({
    type: z.literal('change-flow-run-state'),
    name: z.string().nullable().default(null),
    state: stateType,
    message: z.string().nullable().default(null),
    force: z.boolean().default(false),
  })
  .meta({ id: 'ChangeFlowRunState' })

const pauseWorkQueue = selects(
  z.object({ type: z.literal('pause-work-queue'), source, work_queue_id: selectedId }),
  'work_queue_id',
).meta({ id: 'PauseWorkQueue' })

const resumeWorkQueue = selects(
  z.object({ type: z.literal('resume-work-queue'), source, work_queue_id: selectedId }),
  'work_queue_id',
).meta({ id: 'ResumeWorkQueue' })

const pauseWorkPool = selects(
  z.object({ type: z.literal('pause-work-pool'), source, work_pool_id: selectedId }),
  'work_pool_id',
).meta({ id: 'PauseWorkPool' })

const resumeWorkPool = selects(
  z.object({ type: z.literal('resume-work-pool'), source, work_pool_id: selectedId }),
  'work_pool_id',
).meta({ id: 'ResumeWorkPool' })

const pauseAutomation = selects(
  z.object({ type: z.literal('pause-automation'), source, automation_id: selectedId }),
  'automation_id',
).meta({ id: 'PauseAutomation' })

const resumeAutomation = selects(
  z.object({ type: z.literal('resume-automation'), source, automation_id: selectedId }),
  'automation_id',
).meta({ id: 'ResumeAutomation' })

const sendNotification = z
  .object({
    type: z.literal('send-notification'),
    block_document_id: uuid,
    subject: z.string().default('Prefect automated notification'),
    body: z.string(),
  })
  .meta({ id: 'SendNotification' })

const callWebhook = z
  .object({
    type: z.literal('call-webhook'),
    block_document_id: uuid,
    /** A template. An object, which older clients send, is taken as its JSON text. */
    payload: z
      .union([
        z.string(),
        json
          .refine((value) => value !== null, 'Input should be a valid string')
          .transform((value) => JSON.stringify(value, null, 2)),
      ])
      .default(''),
  })
  .meta({ id: 'CallWebhook' })

/** All that an automation can do. `declare-incident`, which only Prefect Cloud has, is refused as it is by Prefect's server. */
export const action = z.discriminatedUnion('type', [
  doNothing,
  runDeployment,
  pauseDeployment,
  resumeDeployment,
  cancelFlowRun,
  deleteFlowRun,
  suspendFlowRun,
  resumeFlowRun,
  changeFlowRunState,
  pauseWorkQueue,
  resumeWorkQueue,
  pauseWorkPool,
  resumeWorkPool,
  pauseAutomation,
  resumeAutomation,
  sendNotification,
  callWebhook,
])
export type Action = z.output<typeof action>
export type ActionOf<T extends Action['type']> = Extract<Action, { type: T }>

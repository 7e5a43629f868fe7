import * as z from 'zod'
import { action } from './automation-action.ts'
import { stored, tags, timestamp, uuid } from './common.ts'
import { trigger } from './automation-trigger.ts'

const core = {
  name: z.string(),
  description: z.string().default(''),
  enabled: z.boolean().default(true),
  tags: tags.default([]),
  trigger,
  actions: z.array(action),
  actions_on_trigger: z.array(action).default([]),
  actions_on_resolve: z.array(action).default([]),
}

export const automationCreate = z
  .strictObject({ ...core, owner_resource: z.string().nullish() })
  .meta({ id: 'AutomationCreate' })
export type AutomationCreate = z.output<typeof automationCreate>
export type AutomationCreateInput = z.input<typeof automationCreate>

/** What is left out stays as it is. */
export const automationUpdate = z
  .strictObject({
    ...core,
    description: z.string().optional(),
    enabled: z.boolean().optional(),
    tags: tags.optional(),
    actions_on_trigger: z.array(action).optional(),
    actions_on_resolve: z.array(action).optional(),
  })
  .meta({ id: 'AutomationUpdate' })
export type AutomationUpdate = z.output<typeof automationUpdate>
export type AutomationUpdateInput = z.input<typeof automationUpdate>

export const automationPartialUpdate = z
  .strictObject({ enabled: z.boolean().optional() })
  .meta({ id: 'AutomationPartialUpdate' })

export const automation = z.object({ ...stored, ...core }).meta({ id: 'Automation' })
export type Automation = z.output<typeof automation>

const list = <T extends z.ZodType>(item: T) => z.array(item).nullish()
const operator = z.enum(['and_', 'or_']).optional()

const automationFilter = z
  .strictObject({
    operator,
    id: z.strictObject({ any_: list(uuid) }).nullish(),
    name: z.strictObject({ any_: list(z.string()) }).nullish(),
    created: z.strictObject({ before_: timestamp.nullish() }).nullish(),
    tags: z
      .strictObject({
        operator,
        all_: list(z.string()),
        any_: list(z.string()),
        is_null_: z.boolean().nullish(),
      })
      .nullish(),
  })
  .meta({ id: 'AutomationFilter' })
export type AutomationFilter = z.infer<typeof automationFilter>

const automationSort = z.enum(['CREATED_DESC', 'UPDATED_DESC', 'NAME_ASC', 'NAME_DESC'])
export type AutomationSort = z.infer<typeof automationSort>

export const automationsCount = z
  .strictObject({ automations: automationFilter.nullish() })
  .meta({ id: 'AutomationsCount' })
export type AutomationsCount = z.input<typeof automationsCount>

export const automationsQuery = z
  .strictObject({
    automations: automationFilter.nullish(),
    sort: automationSort.nullish(),
    limit: z.int().min(0).max(200).nullish(),
    offset: z.int().min(0).nullish(),
  })
  .meta({ id: 'AutomationsQuery' })
export type AutomationsQuery = z.input<typeof automationsQuery>

/** Why an automation fired or did not: what its triggers have made of the events so far. Ours, Prefect has no such thing. */
export const automationExplanation = z
  .object({
    automation_id: z.string(),
    /** Whether the evaluation has it: an automation that is not enabled is not evaluated. */
    evaluated: z.boolean(),
    /** How often it has fired since it was last changed. */
    firings: z.int(),
    last_fired: z.string().nullable(),
    triggers: z.array(
      z.object({
        trigger_id: z.string(),
        type: z.enum(['event', 'compound', 'sequence']),
        /** Events that fitted this trigger since the automation was last changed. */
        events: z.int(),
        /** How often this trigger has fired, for a part of a composite one as well. */
        firings: z.int(),
        last_event: z
          .object({
            id: z.string(),
            event: z.string(),
            occurred: z.string(),
            /** What became of it. */
            outcome: z.string(),
          })
          .nullable(),
        buckets: z.array(
          z.object({
            for_each: z.record(z.string(), z.string()),
            start: z.string(),
            end: z.string(),
            count: z.int(),
            threshold: z.int(),
          }),
        ),
        /** Children of a composite trigger that have fired and wait for the others. */
        waiting_firings: z.array(z.object({ trigger_id: z.string(), triggered: z.string() })),
      }),
    ),
    /** Actions that are not done yet. */
    pending_actions: z.array(
      z.object({
        invocation: z.string(),
        action_index: z.int(),
        type: z.string(),
        attempts: z.int(),
        due: z.string(),
        last_error: z.string().nullable(),
      }),
    ),
    /** Events of the workspace that wait for the one that they follow. */
    parked_events: z.int(),
    /** The newest event of the workspace that was judged, whether it concerned this automation or not. */
    last_judged: z.object({ id: z.string(), event: z.string(), occurred: z.string() }).nullable(),
  })
  .meta({ id: 'AutomationExplanation' })
export type AutomationExplanation = z.infer<typeof automationExplanation>

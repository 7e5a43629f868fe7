import * as z from 'zod'
import { uuid } from './common.ts'
import { durationSeconds } from './duration.ts'
import { resourceSpecification } from './event-filter.ts'

/** Prefect holds these as sets. */
const names = z.array(z.string()).default([])

/** The least window of a Proactive trigger; 0 means this much. Prefect's number. */
export const MIN_PROACTIVE_SECONDS = 10

const eventTrigger = z
  .object({
    type: z.literal('event').default('event'),
    id: uuid.optional(),
    match: resourceSpecification.default({}),
    match_related: z.union([resourceSpecification, z.array(resourceSpecification)]).default({}),
    after: names,
    expect: names,
    for_each: names,
    posture: z.enum(['Reactive', 'Proactive']),
    threshold: z.int().default(1),
    within: durationSeconds.default(0),
  })
  .refine((given) => given.within >= 0, {
    path: ['within'],
    message: 'Input should be greater than or equal to 0 seconds',
  })
  .refine(
    ({ posture, within }) =>
      posture === 'Reactive' || within <= 0 || within >= MIN_PROACTIVE_SECONDS,
    {
      path: ['within'],
      message: `A Proactive trigger needs a \`within\` of at least ${MIN_PROACTIVE_SECONDS} seconds`,
    },
  )
  .meta({ id: 'EventTrigger' })

export type EventTrigger = z.output<typeof eventTrigger>
export interface CompoundTrigger {
  type: 'compound'
  id?: string | undefined
  triggers: Trigger[]
  require: number | 'any' | 'all'
  /** Seconds; null is for ever. */
  within: number | null
}
export interface SequenceTrigger {
  type: 'sequence'
  id?: string | undefined
  triggers: Trigger[]
  /** Seconds; null is for ever. */
  within: number | null
}
export type Trigger = EventTrigger | CompoundTrigger | SequenceTrigger

/**
 * As a request may write it.
 * @public the declarations of the package name it
 */
export interface CompositeInput {
  id?: string | undefined
  triggers: TriggerInput[]
  within: number | string | null
}
/** @public the declarations of the package name it */
export interface CompoundInput extends CompositeInput {
  type?: 'compound' | undefined
  require: number | 'any' | 'all'
}
/** @public the declarations of the package name it */
export interface SequenceInput extends CompositeInput {
  type?: 'sequence' | undefined
}
type TriggerInput = z.input<typeof eventTrigger> | CompoundInput | SequenceInput

/** The kinds are told apart by their fields where `type` is left out, as Prefect does: the first that fits. */
export const trigger: z.ZodType<Trigger, TriggerInput> = z
  .lazy(() => z.union([eventTrigger, compoundTrigger, sequenceTrigger]))
  .register(z.globalRegistry, { id: 'Trigger' })

const compoundTrigger = z
  .object({
    type: z.literal('compound').default('compound'),
    id: uuid.optional(),
    triggers: z.array(trigger),
    require: z.union([z.int(), z.enum(['any', 'all'])]),
    within: durationSeconds.nullable(),
  })
  .refine(
    ({ require, triggers }) =>
      typeof require === 'string' || (require >= 1 && require <= triggers.length),
    { path: ['require'], message: '`require` is at least 1 and at most the number of triggers' },
  )
  .meta({ id: 'CompoundTrigger' })

const sequenceTrigger = z
  .object({
    type: z.literal('sequence').default('sequence'),
    id: uuid.optional(),
    triggers: z.array(trigger),
    within: durationSeconds.nullable(),
  })
  .meta({ id: 'SequenceTrigger' })

import * as z from 'zod'
import { timestamp, uuid } from './common.ts'

const texts = z.array(z.string()).nullish()

/** Longer ones take their time: each is held against labels of any length. Prefect's document knows no such limit. */
const MAX_PATTERN = 500
const pattern = z
  .string()
  .refine((text) => text.length <= MAX_PATTERN, `A pattern has at most ${MAX_PATTERN} characters`)

/** Label to pattern, or to several of which one must match: `*` and `?` anywhere, `!` in front negates. */
export const resourceSpecification = z
  .record(z.string(), z.union([pattern, z.array(pattern)]))
  .meta({ id: 'ResourceSpecification' })
export type ResourceSpecification = z.infer<typeof resourceSpecification>

const relatedFilter = z
  .strictObject({
    id: texts,
    role: texts,
    resources_in_roles: z.array(z.tuple([z.string(), z.string()])).nullish(),
    labels: resourceSpecification.nullish(),
  })
  .meta({ id: 'EventRelatedFilter' })
export type EventRelatedFilter = z.infer<typeof relatedFilter>

const anyResourceFilter = z
  .strictObject({ id: texts, id_prefix: texts, labels: resourceSpecification.nullish() })
  .meta({ id: 'EventAnyResourceFilter' })
export type EventAnyResourceFilter = z.infer<typeof anyResourceFilter>

/** Empty lists put no condition, unlike those of other filters. */
export const eventFilter = z
  .strictObject({
    occurred: z
      .strictObject({ since: timestamp.optional(), until: timestamp.optional() })
      .optional(),
    event: z
      .strictObject({ prefix: texts, exclude_prefix: texts, name: texts, exclude_name: texts })
      .nullish(),
    resource: z
      .strictObject({
        id: texts,
        id_prefix: texts,
        labels: resourceSpecification.nullish(),
        /** Only one event of each resource: the first one in the order that is asked for. */
        distinct: z.boolean().optional(),
      })
      .nullish(),
    related: z.union([relatedFilter, z.array(relatedFilter)]).nullish(),
    any_resource: z.union([anyResourceFilter, z.array(anyResourceFilter)]).nullish(),
    id: z.strictObject({ id: z.array(uuid).nullish() }).optional(),
    text: z.strictObject({ query: z.string().max(200) }).nullish(),
    order: z.enum(['ASC', 'DESC']).optional(),
  })
  .meta({ id: 'EventFilter' })
export type EventFilter = z.infer<typeof eventFilter>

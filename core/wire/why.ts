import * as z from 'zod'

const whyRule = z
  .object({
    kind: z.enum([
      'scheduled_later',
      'in_process',
      'earlier_execution',
      'no_queue',
      'pool_paused',
      'queue_paused',
      'no_agent',
      'pool_limit',
      'queue_limit',
      'deployment_limit',
      'key_limit',
      'behind_others',
      'next',
    ]),
    /** Of the pool, queue or deployment whose rule it is; of the flow run that goes first. */
    id: z.string().optional(),
    name: z.string().optional(),
    key: z.string().optional(),
    limit: z.int().nullable().optional(),
    live: z.int().optional(),
    until: z.string().optional(),
  })
  .meta({ id: 'WhyRule' })
export type WhyRule = z.infer<typeof whyRule>

export const why = z
  .object({
    waiting: z.boolean(),
    /** In its line: among the due runs of its key, or those of its queue that have none; 1 is first. */
    position: z.int().nullable(),
    rule: whyRule.nullable(),
    message: z.string(),
    /** What has to happen for it to go on. */
    lifted_by: z.string().nullable(),
  })
  .meta({ id: 'FlowRunWhy' })
export type Why = z.infer<typeof why>

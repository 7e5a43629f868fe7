import * as z from 'zod'

/** A refused request, in Prefect's shape. */
export const validationProblem = z
  .object({
    exception_message: z.string(),
    exception_detail: z.array(
      z.object({
        loc: z.array(z.union([z.string(), z.number()])),
        msg: z.string(),
        type: z.string(),
      }),
    ),
    request_body: z.unknown(),
  })
  .meta({ id: 'ValidationProblem' })

export const problem = z
  .object({ detail: z.string().optional(), exception_message: z.string().optional() })
  .meta({ id: 'Problem' })

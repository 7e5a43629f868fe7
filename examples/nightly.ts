import { flow } from 'headgate'
import { z } from 'zod'
import { hello } from './hello.ts'
import { weatherEtl } from './weather-etl.ts'

/** A flow that calls flows: each is a run of its own, shown below this one. */
export const nightly = flow(
  {
    name: 'nightly',
    description: 'Runs the weather report and greets its winner',
    parameters: z.object({}),
  },
  async (_parameters, { logger }) => {
    const ranked = await weatherEtl()
    const winner = ranked[0]?.station ?? 'nobody'
    logger.info('The warmest station is %s', winner)
    return await hello({ name: winner })
  },
)

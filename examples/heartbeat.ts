import { flow } from 'headgate'

/** For a schedule: says what time it is. */
export const heartbeat = flow(
  { name: 'heartbeat', description: 'Says what time it is' },
  (_parameters, { logger }) => {
    const time = new Date().toISOString()
    logger.info('It is %s', time)
    return time
  },
)

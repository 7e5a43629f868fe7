import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { flow, sleep, task } from '../../../sdk/index.ts'

const double = task({ name: 'double' }, (n: number) => n * 2)

export const works = flow(
  { name: 'a flow', parameters: z.object({ n: z.int().default(3) }) },
  async ({ n }, { logger }) => {
    logger.info('n is %d', n)
    return await double(n)
  },
)

/** Fails twice, then works; three tries in all. */
let tries = 0
export const failsTwice = flow({ name: 'a flow', retries: 2 }, (_, { attempt, logger }) => {
  tries += 1
  logger.info('attempt %d', attempt)
  if (tries < 3) {
    throw new Error(`try ${tries}`)
  }
  return { tries, attempt }
})

export const obeys = flow({ name: 'a flow' }, async (_, { signal, logger }) => {
  logger.info('waiting')
  try {
    await delay(60_000, undefined, { signal })
  } finally {
    await delay(200)
    logger.info('cleaned up')
  }
})

export const ignores = flow({ name: 'a flow' }, async (_, { logger }) => {
  logger.info('waiting')
  await delay(60_000)
})

const waits = task({ name: 'waits' }, async (seconds: number) => {
  await sleep(seconds)
})

export const stopsInTask = flow({ name: 'a flow' }, async (_, { logger }) => {
  logger.info('waiting')
  const other = waits.submit(60)
  await waits(60)
  await other
})

export const finishesAnyway = flow({ name: 'a flow' }, async (_, { signal, logger }) => {
  logger.info('waiting')
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true })
    setTimeout(resolve, 60_000)
  })
  return 'done'
})

export const exits = flow({ name: 'a flow' }, async (_, { logger }) => {
  for (let line = 0; line < 1500; line += 1) {
    logger.info('line %d', line)
  }
  await double(1)
  process.exit(7)
})

export const throwsOutside = flow({ name: 'a flow' }, async (_, { logger }) => {
  logger.info('before')
  setTimeout(() => {
    throw new TypeError('thrown in a timer')
  }, 50)
  await delay(60_000)
})

export const logsMuch = flow({ name: 'a flow' }, async (_, { logger }) => {
  for (let line = 0; line < 5000; line += 1) {
    logger.info('line %d %s', line, 'x'.repeat(50))
    if (line % 500 === 0) {
      // oxlint-disable-next-line no-await-in-loop -- lets batches go out meanwhile
      await delay(1)
    }
  }
})

export const slow = flow({ name: 'a flow' }, async (_, { logger }) => {
  logger.info('begin')
  await double(1)
  await delay(700)
  await double(2)
  logger.info('end')
})

/** Leaves a handle open that would keep the process. */
export const leavesTimer = flow({ name: 'a flow' }, () => {
  setInterval(() => undefined, 1000)
})

export const notAFlow = 1

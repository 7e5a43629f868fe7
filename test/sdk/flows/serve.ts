import { flow, sleep } from '../../../sdk/index.ts'

const served = flow({ name: 'served' }, async ({ n }: { n: number }, { logger }) => {
  await sleep(n)
  logger.info('served %d', n)
})

await served.serve({ name: 'here', pollSeconds: 0.1 })

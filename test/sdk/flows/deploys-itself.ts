import { flow } from '../../../sdk/index.ts'

const NAME = ['com', 'puted'].join('')

export const own = flow({ name: NAME }, () => 1)

await own.deploy({ name: 'd', workPool: 'p' })

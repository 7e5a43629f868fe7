import { flow, sleep } from '../../../sdk/index.ts'

await flow({ name: 'waits' }, () => sleep(60))()

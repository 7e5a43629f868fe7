import { flow } from '../../../sdk/index.ts'

await flow({ name: 'bare' }, () => 1)()

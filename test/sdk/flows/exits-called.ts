import { flow } from '../../../sdk/index.ts'

await flow({ name: 'exits' }, () => process.exit(7))()

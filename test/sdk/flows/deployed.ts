import { z } from 'zod'
import { flow } from '../../../sdk/index.ts'

export const first = flow(
  { name: 'the first', parameters: z.object({ n: z.int().default(3) }) },
  ({ n }) => n,
)

const second = flow({ name: 'the second' }, () => 2)
export { second as another }

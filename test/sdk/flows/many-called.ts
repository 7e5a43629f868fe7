import { flow, task } from '../../../sdk/index.ts'

const one = task({ name: 'one' }, () => 1)
const many = flow({ name: 'many' }, async () => {
  await Promise.all(one.map(Array(30).keys()))
})

await Promise.all(Array.from({ length: 30 }, () => many()))

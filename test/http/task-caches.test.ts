import { expect, test } from 'vitest'
import type { StateCreate } from '#core/wire/state.ts'
import { aWorkspace, type TestWorkspace } from '../support/workspace.ts'

async function aTaskRun({ client }: TestWorkspace) {
  const { id } = await client.createTaskRun({
    task_key: 'task',
    dynamic_key: crypto.randomUUID(),
  })
  return async (state: StateCreate) => await client.setTaskRunState(id, state)
}

const under = (cache_key: string, more: object = {}) => ({ state_details: { cache_key, ...more } })
const result = { type: 'COMPLETED' as const, data: { type: 'reference', key: 'r' } }

test('a state that completed under a cache key is found by the next that wants to run', async () => {
  const workspace = await aWorkspace()
  const first = await aTaskRun(workspace)
  expect(await first({ type: 'RUNNING', ...under('k') })).toMatchObject({ status: 'ACCEPT' })
  await first({ ...result, ...under('k') })
  const second = await aTaskRun(workspace)
  expect(await second({ type: 'RUNNING', ...under('k') })).toMatchObject({
    status: 'REJECT',
    state: { type: 'COMPLETED', name: 'Cached', data: result.data },
  })
})

test.for<[string, object, object]>([
  ['under another key', {}, under('other')],
  ['when it has expired', { cache_expiration: '2020-01-01T00:00:00Z' }, under('k')],
  ['when it is to be made anew', {}, under('k', { refresh_cache: true })],
])('not %s', async ([_name, kept, asked]) => {
  const workspace = await aWorkspace()
  const first = await aTaskRun(workspace)
  await first({ type: 'RUNNING' })
  await first({ ...result, ...under('k', kept) })
  const second = await aTaskRun(workspace)
  expect(await second({ type: 'RUNNING', ...asked })).toMatchObject({ status: 'ACCEPT' })
  const elsewhere = await aTaskRun(await aWorkspace())
  expect(await elsewhere({ type: 'RUNNING', ...under('k') })).toMatchObject({ status: 'ACCEPT' })
})

import { expect, test } from 'vitest'
import { readHomeDeployment } from '#storage/deployments.ts'
import { readHomeWorkPool, readHomeWorkPoolByName } from '#storage/work-pools.ts'
import { aWorkspace } from '../support/workspace.ts'

test('the home of a pool gets the pool with its queues, by priority, under its version', async () => {
  const { client, workspace } = await aWorkspace()
  const made = await client.createWorkPool({ name: 'p', type: 'process', concurrency_limit: 2 })
  const before = await readHomeWorkPool(workspace, made.id)
  await client.createWorkQueue('p', { name: 'first', priority: 1, concurrency_limit: 1 })
  const after = await readHomeWorkPool(workspace, made.id)
  expect(after?.version_number).toBe((before?.version_number ?? 0) + 1)
  expect(after?.home_key).toMatch(/^[0-9a-f]{8}$/)
  expect(after?.pool).toEqual({ ...made, status: null, active_slots: null })
  expect(after?.queues).toMatchObject([
    { name: 'first', priority: 1, concurrency_limit: 1, status: null, active_slots: null },
    { name: 'default', priority: 2 },
  ])
  expect(await readHomeWorkPoolByName(workspace, 'p')).toEqual(after)
})

test('every change of a deployment or its schedules raises its version', async () => {
  const { client, workspace } = await aWorkspace()
  await client.createWorkPool({ name: 'p', type: 'process' })
  const flow = await client.createFlow({ name: 'f' })
  const body = { name: 'd', flow_id: flow.id, work_pool_name: 'p', concurrency_limit: 4 }
  const { id } = await client.createDeployment(body)
  const versions: (number | undefined)[] = []
  const note = async () => {
    versions.push((await readHomeDeployment(workspace, id))?.version_number)
  }
  await note()
  await client.createDeployment(body)
  await note()
  await client.updateDeployment(id, { tags: ['x'] })
  await note()
  const [schedule] = await client.createSchedules(id, [
    { schedule: { interval: 9 }, active: false },
  ])
  await note()
  await client.updateSchedule(id, schedule?.id ?? '', { parameters: { a: true } })
  await note()
  const home = await readHomeDeployment(workspace, id)
  await client.deleteSchedule(id, schedule?.id ?? '')
  await note()
  await client.pauseDeployment(id)
  await note()
  expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7])
  const pool = await client.readWorkPool('p')
  expect(home).toMatchObject({
    flow,
    concurrency_limit: 4,
    work_pool_id: pool.id,
    home_key: (await readHomeWorkPool(workspace, pool.id))?.home_key,
    deployment: {
      id,
      tags: ['x'],
      status: null,
      work_pool_name: 'p',
      schedules: [{ active: false, parameters: { a: true }, schedule: { interval: 9 } }],
    },
  })
})

test('a deployment has the home of its pool, and one without a pool when it leaves it', async () => {
  const { client, workspace } = await aWorkspace()
  const pool = await client.createWorkPool({ name: 'p', type: 'process' })
  const flow = await client.createFlow({ name: 'f' })
  const { id } = await client.createDeployment({ name: 'd', flow_id: flow.id })
  const homeKey = async () => (await readHomeDeployment(workspace, id))?.home_key
  const poolless = await homeKey()
  const poolHome = (await readHomeWorkPool(workspace, pool.id))?.home_key
  await client.updateDeployment(id, { work_pool_name: 'p' })
  expect(await homeKey()).toBe(poolHome)
  await client.updateDeployment(id, { work_pool_name: null })
  expect(await homeKey()).toBe(poolless)
  expect(poolless).not.toBe(poolHome)
})

test('another workspace sees neither', async () => {
  const { client } = await aWorkspace()
  const pool = await client.createWorkPool({ name: 'p', type: 'process' })
  const flow = await client.createFlow({ name: 'f' })
  const { id } = await client.createDeployment({ name: 'd', flow_id: flow.id })
  const { workspace: other } = await aWorkspace()
  expect(await readHomeWorkPool(other, pool.id)).toBeUndefined()
  expect(await readHomeDeployment(other, id)).toBeUndefined()
})

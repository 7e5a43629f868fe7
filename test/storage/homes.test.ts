import { expect, test } from 'vitest'
import { isHomeKey } from '#core/flow-run-id.ts'
import { findHome, insertHome, pickPoollessHome } from '#storage/homes.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOW = Date.now() * 1000

test('a home that was made is found, in its workspace only', async () => {
  const { workspace } = await aWorkspace()
  const other = await aWorkspace()
  const key = await insertHome(workspace, 'a pool', NOW)
  expect(isHomeKey(key)).toBe(true)
  expect(await findHome(workspace, key)).toEqual({ key, work_pool_id: 'a pool' })
  expect(await findHome(other.workspace, key)).toBe(undefined)
})

test('a home that is not known yet is looked for again', async () => {
  const { workspace } = await aWorkspace()
  expect(await findHome(workspace, 'ffffffff')).toBe(undefined)
})

test('runs without a pool are spread over the homes without one, each id always to the same', async () => {
  const { workspace } = await aWorkspace()
  await insertHome(workspace, 'a pool', NOW)
  const ids = Array.from({ length: 60 }, () => crypto.randomUUID())
  const picked = await Promise.all(ids.map((id) => pickPoollessHome(workspace, id)))
  expect(new Set(picked).size).toBe(2)
  expect(await Promise.all(ids.map((id) => pickPoollessHome(workspace, id)))).toEqual(picked)
  for (const home of await Promise.all(picked.map((key) => findHome(workspace, key)))) {
    expect(home?.work_pool_id).toBe(null)
  }
})

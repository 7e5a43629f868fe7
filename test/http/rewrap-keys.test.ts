import { expect, test } from 'vitest'
import { openSeal } from '#storage/sealed-text.ts'
import { KeyRing } from '#storage/workspace-keys.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { newApp } from '../../worker/app.ts'
import { aWorkspace, API_URL, bindings } from '../support/workspace.ts'

const OPERATOR_KEY = 'the key of the operator'

async function ask(key: string, given: Partial<Bindings>, expected = OPERATOR_KEY) {
  const env = { ...bindings, HEADGATE_OPERATOR_KEY: expected, ...given }
  const init = { method: 'POST', headers: { Authorization: `Bearer ${key}` } }
  return await newApp().request(`${API_URL}/admin/rewrap_keys`, init, env)
}

/** The seal of a workspace, as an isolate with these secrets has it. */
async function sealWith(workspace: Workspace, given: Partial<Bindings>) {
  const changed = { ...workspace, bindings: { ...workspace.bindings, ...given } }
  return await openSeal(changed, new KeyRing())
}

test('after a change of the secret all keys are wrapped anew, and it can be forgotten', async () => {
  const old = crypto.randomUUID()
  const { workspace } = await aWorkspace()
  const { workspace: other } = await aWorkspace()
  const sealed = await (await sealWith(workspace, { HEADGATE_SECRET: old })).seal('a', 'text')
  await (await sealWith(other, { HEADGATE_SECRET: old })).seal('a', 'text')

  const changed = { HEADGATE_SECRET: 'a secret for tests', HEADGATE_PREVIOUS_SECRETS: old }
  const first = await ask(OPERATOR_KEY, changed)
  expect(first.status).toBe(200)
  expect(await first.json()).toMatchObject({ rewrapped: 2, left: 0 })
  expect(await (await ask(OPERATOR_KEY, changed)).json()).toMatchObject({ rewrapped: 0, left: 0 })
  const now = await sealWith(workspace, { HEADGATE_SECRET: 'a secret for tests' })
  expect(await now.unseal('a', sealed)).toBe('text')
})

test('what no secret opens is counted, and left', async () => {
  const lost = crypto.randomUUID()
  const { workspace } = await aWorkspace()
  const sealed = await (await sealWith(workspace, { HEADGATE_SECRET: lost })).seal('a', 'text')
  const answer: { locked: number } = await (await ask(OPERATOR_KEY, {})).json()
  expect(answer.locked).toBeGreaterThanOrEqual(1)
  const found = await sealWith(workspace, { HEADGATE_SECRET: lost })
  expect(await found.unseal('a', sealed)).toBe('text')
})

test('for anybody else it is not there', async () => {
  const { key } = await aWorkspace()
  expect((await ask(key, {})).status).toBe(404)
  expect((await ask('', {}, '')).status).toBe(404)
})

import { expect, test } from 'vitest'
import { openSeal } from '#storage/sealed-text.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { aWorkspace } from '../support/workspace.ts'

function withSecrets(workspace: Workspace, given: Partial<Bindings>): Workspace {
  return { ...workspace, bindings: { ...workspace.bindings, ...given } }
}

test('opens what it sealed, under the same name and in the same workspace', async () => {
  const { workspace } = await aWorkspace()
  const seal = await openSeal(workspace)
  const sealed = await seal.seal('a', 'text ☃ 𝒳')
  expect(sealed).not.toContain('text')
  expect(await seal.unseal('a', sealed)).toBe('text ☃ 𝒳')
  expect(await (await openSeal(workspace)).unseal('a', sealed)).toBe('text ☃ 𝒳')
  expect(await seal.seal('a', 'text ☃ 𝒳')).not.toBe(sealed)
  await expect(seal.unseal('b', sealed)).rejects.toThrow('does not open as b')
  const { workspace: other } = await aWorkspace()
  await expect((await openSeal(other)).unseal('a', sealed)).rejects.toThrow('is not known')
})

test('a changed text does not open', async () => {
  const { workspace } = await aWorkspace()
  const seal = await openSeal(workspace)
  const sealed = await seal.seal('a', 'text')
  const changed = sealed.slice(0, -8) + (sealed.at(-8) === 'A' ? 'B' : 'A') + sealed.slice(-7)
  await expect(seal.unseal('a', changed)).rejects.toThrow('does not open as a')
})

test('what a former secret sealed is read, while that is known', async () => {
  const { workspace } = await aWorkspace()
  const before = await openSeal(withSecrets(workspace, { HEADGATE_SECRET: 'old' }))
  const sealed = await before.seal('a', 'text')
  const rotated = { HEADGATE_SECRET: 'new', HEADGATE_PREVIOUS_SECRETS: 'oldest old' }
  const after = await openSeal(withSecrets(workspace, rotated))
  expect(await after.unseal('a', sealed)).toBe('text')
  const again = await after.seal('a', 'text')
  await expect(before.unseal('a', again)).rejects.toThrow('HEADGATE_PREVIOUS_SECRETS')
  const forgotten = await openSeal(withSecrets(workspace, { HEADGATE_SECRET: 'new' }))
  await expect(forgotten.unseal('a', sealed)).rejects.toThrow('HEADGATE_PREVIOUS_SECRETS')
  expect(await forgotten.unseal('a', again)).toBe('text')
})

test('a long text is sealed too', async () => {
  const { workspace } = await aWorkspace()
  const seal = await openSeal(workspace)
  const text = 'é'.repeat(500_000)
  expect(await seal.unseal('a', await seal.seal('a', text))).toBe(text)
})

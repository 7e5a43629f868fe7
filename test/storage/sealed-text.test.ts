import { expect, test } from 'vitest'
import { deriveKey, encrypt, utf8 } from '#storage/encryption.ts'
import { openSeal } from '#storage/sealed-text.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { aWorkspace } from '../support/workspace.ts'

/** A text with all that it was sealed with, as the first release wrote it. */
const FIRST = {
  workspace: '0199d2a4-0000-7000-8000-000000000001',
  name: 'a document',
  sealed: '1.e267d470.7g2HX9MEE+BNpKCZ.9De2ClAxo4jJ3GmFQF+5HuHlyk/mpOOI',
}

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

/** A text as the first release sealed it: under a key made of the secret itself. */
async function sealedByFirstRelease(
  workspace: Workspace,
  name: string,
  text: string,
): Promise<string> {
  const { id, key } = await deriveKey(workspace.bindings.HEADGATE_SECRET, workspace.id, {
    id: 'headgate: id of the key of block documents',
    key: 'headgate: key of block documents',
  })
  return `1.${id}.${await encrypt(key, name, utf8(text))}`
}

test('what the first release sealed is read, while its secret is known', async () => {
  const { workspace } = await aWorkspace()
  const old = withSecrets(workspace, { HEADGATE_SECRET: 'old' })
  const sealed = await sealedByFirstRelease(old, 'a', 'text')
  expect(await (await openSeal(old)).unseal('a', sealed)).toBe('text')
  const changed = { HEADGATE_SECRET: 'new', HEADGATE_PREVIOUS_SECRETS: 'oldest old' }
  expect(await (await openSeal(withSecrets(workspace, changed))).unseal('a', sealed)).toBe('text')
  const forgotten = await openSeal(withSecrets(workspace, { HEADGATE_SECRET: 'new' }))
  await expect(forgotten.unseal('a', sealed)).rejects.toThrow('HEADGATE_PREVIOUS_SECRETS')
})

test('what the first release has really written opens', async () => {
  const { workspace } = await aWorkspace()
  const given = {
    ...withSecrets(workspace, { HEADGATE_SECRET: 'a secret of then' }),
    id: FIRST.workspace,
  }
  expect(await (await openSeal(given)).unseal(FIRST.name, FIRST.sealed)).toBe('text ☃')
})

test('a long text is sealed too', async () => {
  const { workspace } = await aWorkspace()
  const seal = await openSeal(workspace)
  const text = 'é'.repeat(500_000)
  expect(await seal.unseal('a', await seal.seal('a', text))).toBe(text)
})

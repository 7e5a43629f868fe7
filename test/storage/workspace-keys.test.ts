import { afterEach, describe, expect, test, vi } from 'vitest'
import { openSeal } from '#storage/sealed-text.ts'
import { KeyRing } from '#storage/workspace-keys.ts'
import type { Bindings, Workspace } from '#storage/workspace.ts'
import { aWorkspace } from '../support/workspace.ts'

interface KeyRow {
  id: string
  wrapped: string
  wrapped_by: string
  retired: string | null
}

/** What another isolate has, which knows nothing of keys that this one has seen. */
function anotherIsolate() {
  const ring = new KeyRing()
  return { ring, open: (workspace: Workspace) => openSeal(workspace, ring) }
}

function withSecrets(workspace: Workspace, given: Partial<Bindings>): Workspace {
  return { ...workspace, bindings: { ...workspace.bindings, ...given } }
}

async function keyRows(workspace: Workspace): Promise<KeyRow[]> {
  const { results } = await workspace.database
    .prepare('SELECT * FROM workspace_key WHERE workspace_id = ? ORDER BY created, id')
    .bind(workspace.id)
    .all<KeyRow>()
  return results
}

afterEach(() => {
  vi.useRealTimers()
})

test('a workspace gets one key, whoever seals first, and it is stored wrapped alone', async () => {
  const { workspace } = await aWorkspace()
  expect(await keyRows(workspace)).toEqual([])
  const isolates = [anotherIsolate(), anotherIsolate(), anotherIsolate()]
  const sealed = await Promise.all(
    isolates.map(async ({ open }) => await (await open(workspace)).seal('a', 'text')),
  )
  const rows = await keyRows(workspace)
  expect(rows).toHaveLength(1)
  for (const [index, text] of sealed.entries()) {
    expect(text.startsWith(`2.${rows[0]?.id}.`)).toBe(true)
    const other = isolates[(index + 1) % isolates.length]
    expect(await (await other?.open(workspace))?.unseal('a', text)).toBe('text')
  }
})

describe('when the secret of the Worker changes', () => {
  test('keys are wrapped anew as they are read, and the former secret can go', async () => {
    const { workspace: given } = await aWorkspace()
    const before = withSecrets(given, { HEADGATE_SECRET: 'old' })
    const sealed = await (await anotherIsolate().open(before)).seal('a', 'text')
    const [old] = await keyRows(given)

    const during = withSecrets(given, {
      HEADGATE_SECRET: 'new',
      HEADGATE_PREVIOUS_SECRETS: 'oldest old',
    })
    expect(await (await anotherIsolate().open(during)).unseal('a', sealed)).toBe('text')
    const [now] = await keyRows(given)
    expect(now?.id).toBe(old?.id)
    expect(now?.wrapped_by).not.toBe(old?.wrapped_by)

    const after = withSecrets(given, { HEADGATE_SECRET: 'new' })
    const seal = await anotherIsolate().open(after)
    expect(await seal.unseal('a', sealed)).toBe('text')
    expect(await seal.seal('a', 'more')).toContain(`2.${old?.id}.`)
  })

  test('an isolate that still has the former one goes on with the keys it opened', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { workspace: given } = await aWorkspace()
    const before = withSecrets(given, { HEADGATE_SECRET: 'old' })
    const old = anotherIsolate()
    const sealed = await (await old.open(before)).seal('a', 'text')
    const next = anotherIsolate()
    const after = { HEADGATE_SECRET: 'new', HEADGATE_PREVIOUS_SECRETS: 'old' }
    await next.open(withSecrets(given, after))
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(await (await old.open(before)).unseal('a', sealed)).toBe('text')
  })

  test('without the former one nothing opens and nothing is sealed', async () => {
    const { workspace: given } = await aWorkspace()
    const before = withSecrets(given, { HEADGATE_SECRET: 'old' })
    const sealed = await (await anotherIsolate().open(before)).seal('a', 'text')
    const rows = await keyRows(given)
    const lost = await anotherIsolate().open(withSecrets(given, { HEADGATE_SECRET: 'new' }))
    await expect(lost.unseal('a', sealed)).rejects.toThrow('HEADGATE_PREVIOUS_SECRETS')
    await expect(lost.seal('a', 'text')).rejects.toThrow('HEADGATE_PREVIOUS_SECRETS')
    expect(await keyRows(given)).toEqual(rows)
  })
})

test('a wrapped key is of no use in another workspace or under another id', async () => {
  const { workspace } = await aWorkspace()
  const { workspace: other } = await aWorkspace()
  const sealed = await (await anotherIsolate().open(workspace)).seal('a', 'text')
  const [row] = await keyRows(workspace)
  await workspace.database
    .prepare(
      'INSERT INTO workspace_key (workspace_id, id, created, wrapped, wrapped_by) SELECT ?, id, created, wrapped, wrapped_by FROM workspace_key WHERE id = ?',
    )
    .bind(other.id, row?.id)
    .run()
  const { open } = anotherIsolate()
  await expect(open(other).then((seal) => seal.unseal('a', sealed))).rejects.toThrow(/./)
})

test('after a rotation the new key seals, everywhere within a moment, and the one before opens', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const { workspace } = await aWorkspace()
  const { workspace: other } = await aWorkspace()
  const here = anotherIsolate()
  const elsewhere = anotherIsolate()
  const sealed = await (await here.open(workspace)).seal('a', 'text')
  const ofOther = await here.ring.current(other)
  const before = await elsewhere.ring.current(workspace)

  const id = crypto.randomUUID()
  vi.setSystemTime(Date.now() + 1)
  await here.ring.rotate(workspace, id, Date.now() * 1000)
  await here.ring.rotate(workspace, id, Date.now() * 1000)
  expect((await keyRows(workspace)).map((row) => [row.id, row.retired === null])).toEqual([
    [before.id, false],
    [id, true],
  ])
  const again = await (await here.open(workspace)).seal('a', 'text')
  expect(again.startsWith(`2.${id}.`)).toBe(true)
  expect(await (await here.open(workspace)).unseal('a', sealed)).toBe('text')
  // Who has not heard of it opens what is sealed with it, and seals with it soon.
  expect(await (await elsewhere.open(workspace)).unseal('a', again)).toBe('text')
  vi.setSystemTime(Date.now() + 31_000)
  expect((await elsewhere.ring.current(workspace)).id).toBe(id)
  expect((await here.ring.current(other)).id).toBe(ofOther.id)
})

import { describe, expect, test } from 'vitest'
import type { AuditEntry } from '#core/wire/audit.ts'
import { audited, type AuditTrail } from '#domain/audit.ts'
import {
  deleteOldAuditEntries,
  insertAuditEntries,
  listAccountAuditEntries,
  listAuditEntries,
  newAuditEntry,
  recordsOf,
} from '#storage/audit.ts'
import { findVariableByName, insertVariable, updateVariable } from '#storage/variables.ts'
import type { Workspace } from '#storage/workspace.ts'
import { aWorkspace } from '../support/workspace.ts'

const now = Date.now() * 1000
const DAY = 86_400_000_000
const all = { limit: 200, after: undefined }

function trailIn(workspace: Workspace, given: Partial<AuditTrail> = {}): AuditTrail {
  return {
    now,
    account_id: workspace.account_id,
    workspace_id: workspace.id,
    actor_kind: 'user',
    actor_id: crypto.randomUUID(),
    actor_name: 'Ada',
    key_id: null,
    key_hint: null,
    address: '203.0.113.7',
    user_agent: null,
    operation: 'test',
    request_id: null,
    ...given,
  }
}

const variable = (name: string, value: unknown) => ({
  name,
  value: JSON.stringify(value),
  tags: [],
})

describe('a change and its record', () => {
  test('are stored together', async () => {
    const { workspace } = await aWorkspace()
    const acting = { ...workspace, trail: trailIn(workspace) }
    await insertVariable(acting, variable('x', 1), now)
    await updateVariable(acting, { name: 'x' }, { value: '2' }, now)
    const [changed, made] = (await listAuditEntries(workspace, null, all)).toSorted((a, b) =>
      a.before === null ? 1 : b.before === null ? -1 : 0,
    )
    expect(made).toMatchObject({ object_kind: 'variable', object_name: 'x', after: { value: 1 } })
    expect(changed).toMatchObject({ before: { value: 1 }, after: { value: 2 }, actor_name: 'Ada' })
  })

  test('are both missing when the record can not be stored', async () => {
    const { workspace } = await aWorkspace()
    await insertVariable(workspace, variable('x', 1), now)
    const broken = trailIn(workspace, { operation: null as unknown as string })
    const acting = { ...workspace, trail: broken }
    await expect(updateVariable(acting, { name: 'x' }, { value: '2' }, now)).rejects.toThrow(
      /NOT NULL constraint failed: audit_entry.operation/,
    )
    expect((await findVariableByName(workspace, 'x'))?.value).toBe(1)
    expect(await listAuditEntries(workspace, null, all)).toEqual([])
  })

  test('are both missing when the change is refused, or meets nothing', async () => {
    const { workspace } = await aWorkspace()
    await insertVariable(workspace, variable('x', 1), now)
    await insertVariable(workspace, variable('y', 1), now)
    const acting = { ...workspace, trail: trailIn(workspace) }
    expect(await insertVariable(acting, variable('x', 2), now)).toBeUndefined()
    expect(await updateVariable(acting, { name: 'z' }, { value: '2' }, now)).toBeUndefined()
    await expect(updateVariable(acting, { name: 'x' }, { name: 'y' }, now)).rejects.toThrow(
      /UNIQUE/,
    )
    expect(await listAuditEntries(workspace, null, all)).toEqual([])
  })

  test('without a trail there is no record', async () => {
    const { workspace } = await aWorkspace()
    await insertVariable(workspace, variable('x', 1), now)
    expect(await listAuditEntries(workspace, null, all)).toEqual([])
    expect(recordsOf(workspace.database, undefined, audited('x', null, null))).toEqual([])
  })
})

function entryAt(workspace: Workspace, time: number, given: Partial<AuditTrail> = {}): AuditEntry {
  const trail = trailIn(workspace, { now: time, ...given })
  return newAuditEntry(trail, audited('thing', null, { id: String(time), size: 1 }))
}

test('entries that are sent twice are stored once, as they were first', async () => {
  const { workspace } = await aWorkspace()
  const entry = entryAt(workspace, now)
  await insertAuditEntries(workspace.database, [entry])
  await insertAuditEntries(workspace.database, [{ ...entry, operation: 'other' }])
  expect(await listAuditEntries(workspace, null, all)).toEqual([entry])
})

test('what is about the account is in no workspace', async () => {
  const { workspace } = await aWorkspace()
  const entry = entryAt(workspace, now, { workspace_id: null })
  await insertAuditEntries(workspace.database, [entry])
  expect(await listAuditEntries(workspace, null, all)).toEqual([])
  const { database, account_id } = workspace
  expect(await listAccountAuditEntries(database, account_id, null, all)).toEqual([entry])
})

test('old entries are deleted some at a time, the oldest first, of one workspace only', async () => {
  const [{ workspace }, other] = [await aWorkspace(), await aWorkspace()]
  const times = [5, 4, 3, 2, 1].map((days) => now - days * DAY)
  const entries = times.map((time) => entryAt(workspace, time))
  await insertAuditEntries(workspace.database, [
    ...entries,
    entryAt(other.workspace, now - 9 * DAY),
  ])
  const before = now - 2.5 * DAY
  expect(await deleteOldAuditEntries(workspace.database, workspace.id, before, 2)).toBe(2)
  expect(await listAuditEntries(workspace, null, all)).toEqual(entries.slice(2).toReversed())
  expect(await deleteOldAuditEntries(workspace.database, workspace.id, before, 2)).toBe(1)
  expect(await listAuditEntries(workspace, null, all)).toEqual(entries.slice(3).toReversed())
  expect(await deleteOldAuditEntries(workspace.database, workspace.id, before, 2)).toBe(0)
  expect(await listAuditEntries(other.workspace, null, all)).toHaveLength(1)
})

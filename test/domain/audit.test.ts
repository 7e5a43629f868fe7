import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SetState } from '#core/wire/state.ts'
import {
  audited,
  changedFields,
  isIntervention,
  MAX_AUDIT_FIELD,
  MAX_AUDIT_FIELDS,
  toAuditEntry,
  type AuditTrail,
} from '#domain/audit.ts'
import { auditedBlockDocument } from '#domain/audit-blocks.ts'

const trail: AuditTrail = {
  now: 1_800_000_000_123_456,
  account_id: 'account',
  workspace_id: 'workspace',
  actor_kind: 'api_key',
  actor_id: 'key',
  actor_name: 'ci',
  key_id: 'key',
  key_hint: 'hg_key_…abcd',
  address: '203.0.113.7',
  user_agent: 'test',
  operation: 'patch_variables_id',
  request_id: 'request',
}

describe('what changed', () => {
  test('is told field by field, and what moves by itself is not', () => {
    const before = { id: '1', name: 'a', tags: ['x'], updated: 'then', active_slots: 1 }
    const after = { id: '1', name: 'b', tags: ['x'], updated: 'now', active_slots: 2 }
    expect(changedFields(before, after)).toEqual({ before: { name: 'a' }, after: { name: 'b' } })
  })

  test('is all there was of what was made or deleted', () => {
    expect(changedFields(null, { id: '1', name: 'a', note: null })).toEqual({
      before: null,
      after: { name: 'a', note: null },
    })
    expect(changedFields({ name: 'a' }, null)).toEqual({ before: { name: 'a' }, after: null })
  })

  test('says of a field that came or went only where it is', () => {
    expect(changedFields({ a: 1 }, { b: undefined, c: 2 })).toEqual({
      before: { a: 1 },
      after: { c: 2 },
    })
  })

  test('is cut where it is long', () => {
    const long = 'x'.repeat(MAX_AUDIT_FIELD)
    const { after } = changedFields(null, { long, short: 'y' })
    expect(after?.['short']).toBe('y')
    expect(after?.['long']).toMatch(/^"x+… \(2002 characters of JSON\)$/)
  })

  test('is never longer than a row takes, whatever it is', () => {
    const field = fc.oneof(fc.string({ maxLength: 4000 }), fc.jsonValue())
    const object = fc.dictionary(fc.string({ maxLength: 300 }), field, { maxKeys: 200 })
    fc.assert(
      fc.property(object, object, (before, after) => {
        const told = JSON.stringify(changedFields(before, after))
        // Names and marks of what was cut come on top; escapes make at most six characters of one.
        expect(told.length).toBeLessThan(2 * 6 * (MAX_AUDIT_FIELDS + 3 * MAX_AUDIT_FIELD))
      }),
    )
  })
})

test('an entry tells who, what, when, and of what kind', () => {
  const change = audited('variable', { id: 'v', name: 'old' }, { id: 'v', name: 'new' })
  const { now: _now, ...who } = trail
  expect(toAuditEntry('id', trail, change)).toEqual({
    ...who,
    id: 'id',
    occurred: '2027-01-15T08:00:00.123456Z',
    outcome: 'done',
    object_kind: 'variable',
    object_id: 'v',
    object_name: 'old',
    before: { name: 'old' },
    after: { name: 'new' },
  })
})

describe('a block document', () => {
  const document = (data: Record<string, string>) => ({
    id: 'd',
    name: 'block',
    block_schema_id: 's',
    data,
  })

  test('is told without its secrets, and that one is another now', () => {
    const before = document({ user: 'alice', token: 's3cret', other: 'same' })
    const after = document({ user: 'bob', token: 'other s3cret', other: 'same' })
    const change = auditedBlockDocument(before, after, ['token'])
    expect(JSON.stringify(change)).not.toContain('s3cret')
    expect(changedFields(change.before, change.after)).toEqual({
      before: { 'data.user': 'alice', 'data.token': '********' },
      after: { 'data.user': 'bob', 'data.token': 'another secret' },
    })
  })

  test('is masked as a whole where nobody knows which fields are secret', () => {
    const change = auditedBlockDocument(
      document({ a: 's3cret' }),
      document({ b: 's3cret' }),
      undefined,
    )
    expect(JSON.stringify(change)).not.toContain('s3cret')
  })
})

describe('a state that is proposed', () => {
  const to = (type: SetState['state']['type'], force = false): SetState => ({
    state: { type },
    force,
  })
  test.each<[string, 'user' | 'key' | 'run', SetState, boolean, boolean]>([
    ['a person cancels', 'user', to('CANCELLING'), false, true],
    ['a person sets any state', 'user', to('COMPLETED'), false, true],
    ['a key cancels', 'key', to('CANCELLING'), false, true],
    ['a key forces a state', 'key', to('COMPLETED', true), false, true],
    ['a key sets a run going again', 'key', to('SCHEDULED'), true, true],
    ['an engine with a key reports', 'key', to('RUNNING'), false, false],
    ['an engine with a key ends', 'key', to('COMPLETED'), false, false],
    ['an engine with a key crashes', 'key', to('CRASHED', true), false, false],
    ['a run says that it is cancelled', 'run', to('CANCELLED', true), false, false],
  ])('%s', (_name, caller, request, isOver, expected) => {
    expect(isIntervention(caller, request, isOver)).toBe(expected)
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ACCOUNT_ROLES,
  KEY_KINDS,
  PERMISSIONS,
  permissionsOfAccountRole,
  permissionsOfKey,
  permissionsOfRole,
  permissionToChange,
  WORKSPACE_ROLES,
} from '#domain/permissions.ts'

describe('a role', () => {
  test('allows what each lower one allows', () => {
    const allowed = WORKSPACE_ROLES.map(permissionsOfRole)
    for (const [index, higher] of allowed.slice(0, -1).entries()) {
      const lower = allowed[index + 1] ?? new Set()
      expect([...higher]).toEqual(expect.arrayContaining([...lower]))
      expect(higher.size).toBeGreaterThan(lower.size)
    }
  })

  test('that nobody knows allows nothing', () => {
    expect([...permissionsOfRole('admin')]).toEqual([])
    expect([...permissionsOfRole('')]).toEqual([])
  })
})

describe('a key', () => {
  const aRole = fc.option(fc.constantFrom(...WORKSPACE_ROLES))
  const someScopes = fc.option(fc.subarray([...PERMISSIONS]))

  test('never allows more than its scopes, nor than its owner may do', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KEY_KINDS), aRole, someScopes, (kind, role, scopes) => {
        const allowed = [...permissionsOfKey({ kind, role, scopes })]
        if (kind === 'agent') {
          expect(allowed).toEqual(['serve'])
          return
        }
        const owned = kind === 'workspace' ? PERMISSIONS : [...permissionsOfRole(role ?? '')]
        const expected = owned.filter((one) => scopes === null || scopes.includes(one))
        expect(allowed.toSorted()).toEqual(expected.toSorted())
      }),
    )
  })
})

describe('a role in an account', () => {
  test('allows what each lower one allows', () => {
    const allowed = ACCOUNT_ROLES.map(permissionsOfAccountRole)
    for (const [index, higher] of allowed.slice(0, -1).entries()) {
      const lower = allowed[index + 1] ?? new Set()
      expect([...higher]).toEqual(expect.arrayContaining([...lower]))
      expect(higher.size).toBeGreaterThan(lower.size)
    }
    expect([...permissionsOfAccountRole('developer')]).toEqual([])
  })

  test('is given and taken by owners where an owner is concerned', () => {
    const roles = fc.constantFrom(...ACCOUNT_ROLES)
    fc.assert(
      fc.property(roles, fc.option(roles), (from, to) => {
        const needed = permissionToChange(from, to)
        expect(needed).toBe([from, to].includes('owner') ? 'own' : 'people')
        expect(permissionsOfAccountRole('admin').has(needed)).toBe(needed === 'people')
      }),
    )
  })
})

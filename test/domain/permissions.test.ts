import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  KEY_KINDS,
  PERMISSIONS,
  permissionsOfKey,
  permissionsOfRole,
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

import { beforeAll, expect, test } from 'vitest'
import {
  PERMISSIONS,
  permissionsOfKey,
  permissionsOfRole,
  WORKSPACE_ROLES,
  type Permission,
} from '#domain/permissions.ts'
import { agentMay, permissionOf } from '../../worker/http/operation-permissions.ts'
import { runMay } from '../../worker/http/run-rights.ts'
import { closed, type Route } from '../support/routes.ts'
import { answerTo } from './answers.ts'
import { aKey, aServiceAccountKey, aSession } from './callers.ts'
import { aFullWorkspace, aName, type FullWorkspace } from './full-workspace.ts'
import { isOfHolder, isSocket } from './operations.ts'
import { requestOf } from './requests.ts'
import { slotsOf } from './slots.ts'

let own: FullWorkspace
const tokens = new Map<string, string>()
beforeAll(async () => {
  own = await aFullWorkspace()
  for (const { name, token } of CALLERS) {
    // oxlint-disable-next-line no-await-in-loop -- few
    tokens.set(name, await token())
  }
}, 120_000)

interface Caller {
  name: string
  token: () => Promise<string> | string
  may: (route: Route, needed: Permission) => boolean
}

const has = (permissions: ReadonlySet<Permission>) => (_route: Route, needed: Permission) =>
  permissions.has(needed)

const CALLERS: Caller[] = [
  { name: 'a key of the workspace', token: () => own.key, may: () => true },
  ...WORKSPACE_ROLES.map((role) => ({
    name: `a service account that is ${role}`,
    token: async () => await aServiceAccountKey(own, role),
    may: has(permissionsOfKey({ kind: 'service_account', role, scopes: null })),
  })),
  ...WORKSPACE_ROLES.map((role) => ({
    name: `a person who is signed in, ${role}`,
    token: async () => await aSession(own, role),
    may: has(permissionsOfRole(role)),
  })),
  ...PERMISSIONS.map((scope) => ({
    name: `a key with the scope ${scope} alone`,
    token: async () => await aKey(own, { scopes: [scope] }),
    may: has(new Set([scope])),
  })),
  {
    name: "an agent's key",
    token: async () => await aKey(own, { kind: 'agent' }),
    may: ({ method, path }) => agentMay(method, path),
  },
  {
    name: 'a run token',
    token: () => own.runToken,
    may: ({ method, path }) => runMay(method, path),
  },
]

const operations = closed.filter((route) => !isSocket(route) && !isOfHolder(route))

/** Who may do it is still refused what would give more rights than his own. */
const GRANTS: ReadonlySet<string> = new Set([
  'POST /service_accounts',
  'POST /enrolments',
  'PATCH /members/{id}',
  'POST /members/invitations',
])

test.for(operations)('$name', async (route) => {
  const needed = permissionOf(route.method, route.path)
  const callers = CALLERS.filter(({ name }) => !GRANTS.has(route.name) || !name.includes('scope'))
  const expected = callers.map(({ name, may }) => [name, may(route, needed) ? 'may' : 'may not'])
  const answered: [string, string][] = []
  for (const { name } of callers) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { status } = await answerTo(route, onNothing(route), tokens.get(name), [])
    expect(status).not.toBe(401)
    answered.push([name, status === 403 ? 'may not' : 'may'])
  }
  expect(answered).toEqual(expected)
})

/** A valid request about things that are not there, so that nothing is lost by it. */
function onNothing(route: Route) {
  const inPath = slotsOf(route).filter(({ where }) => where === 'path')
  return requestOf(
    route,
    own,
    inPath.map((slot) => ({
      slot,
      value: slot.schema.format === 'uuid' ? crypto.randomUUID() : aName('never'),
    })),
  )
}

import { apiKey, API_KEY_RANDOM_BYTES } from '#core/api-key.ts'
import { formatTimestamp } from '#core/time.ts'
import type { WorkspaceRole } from '#domain/permissions.ts'
import { insertApiKeyStatement, type NewApiKey } from '#storage/access.ts'
import { newId } from '#storage/new-id.ts'
import { aPerson } from '../support/people.ts'
import { bindings } from '../support/workspace.ts'
import { aName, type FullWorkspace } from './full-workspace.ts'
import { addMember, aMember } from './people.ts'

/** A kind of caller: who tries to reach through the wall. */
export interface CallerKind {
  name: string
  /** Whether it may come in at all; who may not is answered 401 whatever is asked. */
  isLive: boolean
  /** How much is tried on it: ids of kinds that do not belong there as well, those that do, or the first of them. */
  tries: 'all' | 'fitting' | 'first'
  /** A key, or the cookie of a session. */
  token: (own: FullWorkspace) => Promise<string | undefined> | string | undefined
}

const PAST = '2020-01-01T00:00:00.000000Z'

export const CALLERS: CallerKind[] = [
  { name: 'an API key', isLive: true, tries: 'all', token: ({ key }) => key },
  { name: 'a run token', isLive: true, tries: 'fitting', token: ({ runToken }) => runToken },
  {
    name: "an agent's key",
    isLive: true,
    tries: 'first',
    token: async (own) => await aKey(own, { kind: 'agent' }),
  },
  {
    name: "a service account's key",
    isLive: true,
    tries: 'first',
    token: async (own) => await aServiceAccountKey(own, 'developer'),
  },
  {
    name: 'a personal key',
    isLive: true,
    tries: 'first',
    token: async (own) => await aPersonalKey(own, 'owner'),
  },
  {
    name: 'a person who is signed in',
    isLive: true,
    tries: 'first',
    token: async (own) => await aSession(own, 'owner'),
  },
  { name: 'no key', isLive: false, tries: 'first', token: () => undefined },
  {
    name: 'a revoked key',
    isLive: false,
    tries: 'first',
    token: async (own) => await aKey(own, { revoked: PAST }),
  },
  {
    name: 'an expired key',
    isLive: false,
    tries: 'first',
    token: async (own) => await aKey(own, { expires: PAST }),
  },
  {
    name: 'a run token that somebody has changed',
    isLive: false,
    tries: 'first',
    token: ({ runToken }) => `${runToken.slice(0, -4)}AAAA`,
  },
]

/** The key of a service account that has a role in the workspace. */
export async function aServiceAccountKey(own: FullWorkspace, role: WorkspaceRole): Promise<string> {
  const { id: workspaceId, account_id } = own.workspace
  const now = formatTimestamp(Date.now() * 1000)
  const id = newId(Date.now() * 1000)
  await bindings.DB.batch([
    bindings.DB.prepare(
      'INSERT INTO service_account (id, created, updated, account_id, name, created_by) VALUES (?, ?, ?, ?, ?, ?)',
    ).bind(id, now, now, account_id, aName('service_account'), 'the wall'),
    bindings.DB.prepare(
      'INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created) VALUES (?, ?, ?, ?, ?)',
    ).bind(workspaceId, 'service_account', id, role, now),
  ])
  return await aKey(own, { kind: 'service_account', owner_id: id })
}

/** The key of a person that has a role in the workspace alone. */
async function aPersonalKey(own: FullWorkspace, role: WorkspaceRole): Promise<string> {
  const owner_id = await aMember(own.workspace.id, role)
  return await aKey(own, { kind: 'personal', owner_id, workspace_id: null })
}

/** The cookie of a person that has a role in the workspace alone. */
export async function aSession(own: FullWorkspace, role: WorkspaceRole): Promise<string> {
  const { browser } = await aPerson()
  const session = await browser.session()
  if (session === undefined) {
    throw new Error('who has signed in has no session')
  }
  // Who signs up has a workspace, and then says at each address which one is meant.
  await bindings.DB.prepare('DELETE FROM workspace_member WHERE member_id = ?')
    .bind(session.user_id)
    .run()
  await addMember(own.workspace.id, session.user_id, role)
  return [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
}

export async function aKey(
  { workspace }: FullWorkspace,
  { revoked, ...given }: Partial<NewApiKey> & { revoked?: string },
): Promise<string> {
  const now = Date.now() * 1000
  const text = apiKey(crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES)))
  const key: NewApiKey = {
    id: newId(now),
    kind: 'workspace',
    workspace_id: workspace.id,
    owner_id: null,
    name: aName('key'),
    text,
    scopes: null,
    work_pool_ids: null,
    created_by: null,
    expires: null,
    ...given,
  }
  const { sql, values } = await insertApiKeyStatement(key, now)
  await bindings.DB.batch([
    bindings.DB.prepare(sql).bind(...values),
    bindings.DB.prepare('UPDATE api_key SET revoked = ? WHERE id = ?').bind(
      revoked ?? null,
      key.id,
    ),
  ])
  return text
}

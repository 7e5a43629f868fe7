import { env, exports } from 'cloudflare:workers'
import { Client } from '#core/client.ts'
import { findWorkspaceRow } from '#storage/access.ts'
import { openWorkspace, type Bindings, type Workspace } from '#storage/workspace.ts'
import { createWorkspace } from '../../worker/operations/create-workspace.ts'

export const API_URL = 'http://headgate.test/api'

/** The Worker's bindings, with those that the test configuration adds. */
export const bindings = env as unknown as Bindings

/** The Worker under test, through its own `fetch`. */
export const fetchWorker: typeof fetch = (input, init) =>
  exports.default.fetch(new Request(input, init))

export interface TestWorkspace {
  client: Client
  workspace: Workspace
  /** The text of an API key of the workspace. */
  key: string
}

/** A fresh account with a workspace and a key in the test's D1, and a client that calls the Worker with that key. */
export async function aWorkspace(): Promise<TestWorkspace> {
  const name = `test ${crypto.randomUUID()}`
  const created = await createWorkspace(
    bindings.DB,
    { account_name: name, workspace_name: name, key_name: 'tests' },
    Date.now() * 1000,
  )
  const row = await findWorkspaceRow(bindings.DB, created.workspace_id)
  if (row === undefined) {
    throw new Error('the workspace that was made can not be read')
  }
  return {
    client: clientOf(created.key),
    workspace: openWorkspace(bindings, row),
    key: created.key,
  }
}

/** A client of the Worker under test with another key, a run token, or none. */
export function clientOf(apiKey: string | undefined, apiUrl = API_URL): Client {
  return new Client({ apiUrl, apiKey, fetch: fetchWorker })
}

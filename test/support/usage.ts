import { runInDurableObject } from 'cloudflare:test'
import type { LimitsChange, PlanName } from '#domain/plans.ts'
import { listSources, readMonth, setPlanChoice } from '#storage/usage.ts'
import type { Workspace } from '#storage/workspace.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { asStub } from './objects.ts'

/** Gives the workspace's account limits of its own. */
export async function limitAccount(
  workspace: Workspace,
  limits: LimitsChange | null,
  plan: PlanName | null = null,
): Promise<void> {
  const { bindings, account_id } = workspace
  await setPlanChoice(bindings.DB, account_id, { plan, limits }, Date.now() * 1000)
}

/** What the account has used in this month, by all that was told. */
export async function told(workspace: Workspace) {
  return await readMonth(workspace, Date.now() * 1000)
}

/** The rows of an object's own table. */
export async function rowsOf(stub: DurableObjectStub, query: string) {
  return await runInDurableObject(stub, (_, { storage }) => storage.sql.exec(query).toArray())
}

/** The homes that have told anything. */
export async function tellingHomes(workspace: Workspace): Promise<DurableObjectStub[]> {
  return (await listSources(workspace, 100))
    .filter((source) => source.startsWith('home:'))
    .map((source) => asStub(homeStub(workspace, source.slice('home:'.length))))
}

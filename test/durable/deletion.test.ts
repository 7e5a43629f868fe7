import { runInDurableObject } from 'cloudflare:test'
import { expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import { findWorkspaceRow } from '#storage/access.ts'
import { listAccountAuditEntries } from '#storage/audit.ts'
import { listHomes } from '#storage/homes.ts'
import { replicaRow, upsertReplicas, WorkspaceErased } from '#storage/replica.ts'
import { taskRun } from '#storage/schema/runs.ts'
import { openWorkspace, type Workspace } from '#storage/workspace.ts'
import { addWorkspace } from '../../worker/operations/create-workspace.ts'
import { deleteAccount } from '../../worker/operations/delete-workspace.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { eventStreamStub, objectsOf as knownObjectsOf } from '../../worker/operations/stubs.ts'
import { call } from '../support/call.ts'
import { aTrail } from '../support/a-trail.ts'
import { finishDeletion } from '../support/deletions.ts'
import { setD1Faults } from '../support/d1-faults.ts'
import { eventually } from '../support/eventually.ts'
import { aSocket, openSocket } from '../support/test-socket.ts'
import { aWorkspace, bindings, type TestWorkspace } from '../support/workspace.ts'
import { aWatchedWorkspace } from '../wall/at-rest.ts'
import { objectsOf } from '../wall/dump.ts'
import { aFullWorkspace, nameOf } from '../wall/full-workspace.ts'

/** What may still know of it: that it was deleted, and by whom. */
const MAY_KNOW = new Set(['deletion', 'erased_workspace', 'audit_entry', 'usage_month'])

/** The tables that have a row with that id in any of their columns. */
async function tablesWith(id: string): Promise<string[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '_cf%' AND name NOT LIKE 'sqlite%'",
  ).all<{ name: string }>()
  const found: string[] = []
  for (const { name } of results) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const columns = await bindings.DB.prepare('SELECT name FROM pragma_table_info(?)')
      .bind(name)
      .all<{ name: string }>()
    const anywhere = columns.results.map((column) => `instr("${column.name}", ?1) > 0`).join(' OR ')
    // oxlint-disable-next-line no-await-in-loop -- the same
    const row = await bindings.DB.prepare(
      `SELECT 1 AS one FROM "${name}" WHERE ${anywhere} LIMIT 1`,
    )
      .bind(id)
      .first()
    if (row !== null) {
      found.push(name)
    }
  }
  return found
}

/** What the objects of a workspace hold, but for what an empty one has when it is looked at. */
async function rowsInObjects(workspace: Workspace): Promise<Record<string, number>> {
  const rows: Record<string, number> = {}
  for (const { label, stub } of await objectsOf(workspace)) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await runInDurableObject(stub, async (_object, { storage }) => {
      const tables = storage.sql
        .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .toArray()
        .filter(({ name }) => !/^(_cf.*|sqlite_.*|migration|version)$/.test(name))
      for (const { name } of tables) {
        const { count } = storage.sql
          .exec<{ count: number }>(`SELECT count(*) AS count FROM ${name}`)
          .one()
        if (count > 0) {
          rows[`${label} ${name}`] = count
        }
      }
      if ((await storage.getAlarm()) !== null) {
        rows[`${label} alarm`] = 1
      }
    })
  }
  return rows
}

test('a deleted workspace is out of reach at once, and then gone everywhere', async () => {
  const other = await aWatchedWorkspace()
  const doomed = await aFullWorkspace()
  const { client, workspace, key } = doomed
  const feed = await aSocket('/feed', key)
  const pool = nameOf(doomed, 'work_pool')
  const doorbell = await openSocket(
    `/work_pools/${pool}/doorbell?agent_id=${crypto.randomUUID()}&agent_name=a&version=1`,
    { Authorization: `Bearer ${key}` },
  )
  const known = new Set(
    knownObjectsOf(workspace, await listHomes(workspace)).map((stub) =>
      (stub as unknown as DurableObjectStub).id.toString(),
    ),
  )
  const there = await objectsOf(workspace)
  expect(there.length).toBeGreaterThan(5)
  expect(there.filter(({ stub }) => !known.has(stub.id.toString()))).toEqual([])

  const refused = call(key, 'DELETE', '/workspace', { name: 'another' })
  expect(await refused).toMatchObject({ status: 422 })
  const deletion = await client.deleteWorkspace(workspace.name)
  expect(deletion).toMatchObject({ state: 'RUNNING', workspace_id: workspace.id, finished: null })
  await eventually(() => feed.ended !== undefined && doorbell.ended !== undefined)
  for (const token of [key, doomed.runToken]) {
    // oxlint-disable-next-line no-await-in-loop -- two
    await eventually(async () => (await call(token, 'POST', '/flows/count')).status === 401)
  }

  const done = await finishDeletion(deletion)
  expect(done).toMatchObject({ state: 'COMPLETED', message: null, finished: expect.any(String) })
  expect(done.rows).toBeGreaterThan(40)
  expect(await client.readDeletion(deletion.id)).toEqual(done)
  const left = await tablesWith(workspace.id)
  expect(left.filter((name) => !MAY_KNOW.has(name))).toEqual([])
  expect(await rowsInObjects(workspace)).toEqual({})
  const [entry] = await listAccountAuditEntries(bindings.DB, workspace.account_id, null, {
    limit: 1,
    after: undefined,
  })
  expect(entry).toMatchObject({
    operation: 'delete_workspace',
    object_kind: 'workspace',
    object_id: workspace.id,
    object_name: workspace.name,
    outcome: 'done',
  })
  expect(await other.now()).toEqual(other.before)
})

test('what comes late brings nothing back', async () => {
  const { client, workspace } = await aWorkspace()
  const stream = eventStreamStub(workspace, null)
  const context = objectContext(workspace)
  const taskRunOf = (key: string) => ({ task_key: 't', dynamic_key: key, name: key })
  await client.createTaskRun(taskRunOf('before'))
  // Its rows are in the object, and the store is away.
  setD1Faults({ fail: 1, only: 'INTO task_run' })
  await client.createTaskRun(taskRunOf('meanwhile'))
  await finishDeletion(await client.deleteWorkspace(workspace.name))
  setD1Faults({})
  const late = stream.createTaskRun(context, taskRunOf('late'), Date.now() * 1000)
  await late.catch(() => undefined)
  await eventually(async () => Object.keys(await rowsInObjects(workspace)).length === 0)
  const now = formatTimestamp(Date.now() * 1000)
  const row = replicaRow(taskRun, {
    workspace_id: workspace.id,
    id: crypto.randomUUID(),
    seq: 1,
    deleted: false,
    created: now,
    updated: now,
    name: 'late',
    task_key: 't',
    dynamic_key: 'k',
    empirical_policy: {},
    tags: [],
    labels: {},
    task_inputs: {},
    states: [],
    run_count: 0,
    flow_run_run_count: 0,
    total_run_time: 0,
  })
  const flush = upsertReplicas(workspace.database, taskRun, JSON.stringify([row]), 1)
  await expect(flush).rejects.toThrow(WorkspaceErased)
  expect(await tablesWith(workspace.id)).not.toContain('task_run')
})

test('a step that fails is named and tried again', async () => {
  const { client, workspace } = await aWorkspace()
  const { id } = await client.createFlow({ name: 'f' })
  await client.createFlowRun({ flow_id: id })
  setD1Faults({ fail: 1, only: 'DELETE FROM flow_run' })
  const deletion = await client.deleteWorkspace(workspace.name)
  const waiting = await eventually(async () => {
    const found = await client.readDeletion(deletion.id)
    return found.message !== null && found
  })
  expect(waiting).toMatchObject({
    state: 'RUNNING',
    message: expect.stringMatching(/^It failed to delete the rows of workspace .*tried again/),
  })
  setD1Faults({})
  expect(await finishDeletion(deletion)).toMatchObject({ state: 'COMPLETED', message: null })
})

test('an account is deleted with all its workspaces, and nothing of another', async () => {
  const other = await aWorkspace()
  await other.client.createFlow({ name: 'kept' })
  const { client, workspace } = await aWorkspace()
  await client.createFlow({ name: 'f' })
  const { account_id: accountId } = workspace
  const trail = aTrail({ account_id: accountId })
  const second = await addWorkspace(
    bindings.DB,
    accountId,
    { name: 'second', region: null },
    'nobody',
    trail,
  )
  const row = await findWorkspaceRow(bindings.DB, second ?? '')
  const added = openWorkspace(bindings, row ?? expect.fail('it was not made'))
  const account = {
    account_id: accountId,
    account_name: 'a',
    account_handle: 'a',
    role: 'owner' as const,
    created: '',
  }
  await expect(deleteAccount(bindings, account, 'b', 'somebody', trail)).rejects.toMatchObject({
    code: 'invalid',
  })
  const deletion = await deleteAccount(bindings, account, 'a', 'somebody', trail)
  await eventually(async () => await isRefused(client))
  expect(await finishDeletion(deletion)).toMatchObject({ state: 'COMPLETED', workspace_id: null })
  for (const id of [accountId, workspace.id, added.id]) {
    // oxlint-disable-next-line no-await-in-loop -- three
    const left = await tablesWith(id)
    expect(left.filter((name) => !['deletion', 'erased_workspace'].includes(name))).toEqual([])
  }
  expect(await other.client.countFlows()).toBe(1)
})

async function isRefused(client: TestWorkspace['client']): Promise<boolean> {
  return await client.countFlows().then(
    () => false,
    (error: unknown) => (error as { status?: number }).status === 401,
  )
}

import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { expect, test } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import type { Diagnostics } from '#core/wire/diagnostics.ts'
import { homeContext } from '../../worker/operations/configure-home.ts'
import { concurrencyLimitsStub, homeStub, jobsStub } from '../../worker/operations/stubs.ts'
import { eventually } from '../support/eventually.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, bindings, type TestWorkspace } from '../support/workspace.ts'

const LIMIT = { timeout: 120_000 }

async function diagnosed({ client, workspace }: TestWorkspace, repair: boolean) {
  const { id } = await client.startDiagnostics({ repair })
  return await eventually<Diagnostics | false>(async () => {
    await runDurableObjectAlarm(asStub(jobsStub(workspace)))
    const now = await client.readDiagnostics(id)
    return now.finished !== null && now
  })
}

async function aBusyWorkspace() {
  const made = await aWorkspace()
  const { client, workspace } = made
  const flow = await client.createFlow({ name: 'f' })
  await client.createWorkPool({ name: 'p', type: 'process', concurrency_limit: 10 })
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: 'p',
    concurrency_limit: 5,
    schedules: [{ schedule: { interval: 3600 } }],
  })
  const waiting = await client.createFlowRunFromDeployment(deployment.id)
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const { runs } = await client.claim('p', { agent, limit: 1 })
  const executions = runs.map(({ flow_run: { id }, fence }) => ({ flow_run_id: id, fence }))
  await client.accept('p', { agent_id: agent.agent_id, executions })
  const running = runs[0]?.flow_run.id ?? ''
  await client.setFlowRunState(running, { type: 'RUNNING' })
  const ended = await client.createFlowRun({ flow_id: flow.id })
  await client.setFlowRunState(ended.id, { type: 'COMPLETED' })
  const home = asStub(homeStub(workspace, homeKeyOf(waiting.id)))
  const endedHome = asStub(homeStub(workspace, homeKeyOf(ended.id)))
  await eventually(async () => !(await idsAt(endedHome)).includes(ended.id))
  return { ...made, flow, deployment, waiting, ended, home, endedHome }
}

async function idsAt(home: DurableObjectStub): Promise<string[]> {
  await runDurableObjectAlarm(home)
  return await runInDurableObject(home, (_, { storage }) =>
    storage.sql
      .exec<{ id: string }>('SELECT id FROM run')
      .toArray()
      .map(({ id }) => id),
  )
}

const sql = async (query: string, ...values: unknown[]) =>
  await bindings.DB.prepare(query)
    .bind(...values)
    .run()

const kinds = ({ findings }: Diagnostics) =>
  findings.map(({ kind, repaired }) => `${kind} ${repaired ? 'repaired' : 'left'}`).toSorted()

test('a workspace in which runs are made, run and end gives no findings', LIMIT, async () => {
  const made = await aBusyWorkspace()
  const { client, deployment, flow } = made
  const works = Array.from({ length: 10 }, async () => {
    await client.createFlowRunFromDeployment(deployment.id)
    const run = await client.createFlowRun({ flow_id: flow.id })
    await client.setFlowRunState(run.id, { type: 'RUNNING' })
    await client.setFlowRunState(run.id, { type: 'COMPLETED' })
  })
  const changes = async () => {
    for (const text of ['one', 'two', 'three']) {
      // oxlint-disable-next-line no-await-in-loop
      await client.updateDeployment(deployment.id, { description: text })
    }
  }
  const [found] = await Promise.all([diagnosed(made, true), changes(), ...works])
  expect(found).toMatchObject({ state: 'COMPLETED', findings: [], counts: {} })
  expect(found.checked['flow_runs']).toBeGreaterThan(0)
  const after = await diagnosed(made, false)
  expect(after.findings).toEqual([])
  expect(after.checked['ended_runs']).toBeGreaterThan(0)
})

test(
  'what D1 has lost is named, then told to it again, and then there is nothing to find',
  LIMIT,
  async () => {
    const made = await aBusyWorkspace()
    const { client, waiting, ended, deployment, workspace } = made
    await client.updateDeployment(deployment.id, { description: 'changed' })
    // As a copy of D1 from an hour ago would have it.
    await sql('DELETE FROM flow_run WHERE id = ?', waiting.id)
    await sql(
      `UPDATE flow_run SET seq = 1, state_type = 'RUNNING', end_time = NULL WHERE id = ?`,
      ended.id,
    )
    await sql(
      'UPDATE deployment SET version_number = version_number - 1, description = ? WHERE id = ?',
      'as it was',
      deployment.id,
    )
    const named = await diagnosed(made, false)
    expect(kinds(named)).toEqual([
      'configuration_ahead left',
      'ended_flow_run_behind left',
      'flow_run_behind left',
      'flow_run_not_at_home left',
    ])
    expect(named.findings.find(({ kind }) => kind === 'flow_run_behind')).toMatchObject({
      id: waiting.id,
      store: 'not there',
    })
    const repaired = await diagnosed(made, true)
    expect(kinds(repaired)).toEqual([
      'configuration_ahead repaired',
      'ended_flow_run_behind repaired',
      'flow_run_behind repaired',
    ])
    expect(await diagnosed(made, false)).toMatchObject({ findings: [] })
    const rows = await client.filterFlowRuns({
      flow_runs: { id: { any_: [waiting.id, ended.id] } },
    })
    expect(rows).toHaveLength(2)
    expect(rows.find(({ id }) => id === ended.id)?.state_type).toBe('COMPLETED')
    const key = homeKeyOf(waiting.id)
    const kept = await homeStub(workspace, key).readDeployment(
      homeContext(workspace, key),
      deployment.id,
    )
    expect(kept?.deployment.description).toBe('as it was')
  },
)

test('what a home has lost is taken from D1', LIMIT, async () => {
  const made = await aBusyWorkspace()
  const { client, waiting, home, deployment } = made
  const other = await client.createFlowRunFromDeployment(deployment.id)
  await runInDurableObject(home, (_, { storage }) => {
    storage.sql.exec('DELETE FROM run WHERE id = ?', other.id)
    storage.sql.exec(
      `UPDATE run SET body = json_set(body, '$.record.seq', 0, '$.record.name', 'old') WHERE id = ?`,
      waiting.id,
    )
  })
  await sql('UPDATE deployment SET version_number = version_number + 1 WHERE id = ?', deployment.id)
  expect(kinds(await diagnosed(made, true))).toEqual([
    'configuration_behind repaired',
    'flow_run_ahead repaired',
    'flow_run_not_at_home repaired',
  ])
  expect(await diagnosed(made, false)).toMatchObject({ findings: [] })
  expect(await idsAt(home)).toContain(other.id)
  expect((await client.readFlowRun(waiting.id)).name).toBe(waiting.name)
})

test('alarms, timers and leases that were lost are set or freed', LIMIT, async () => {
  const made = await aBusyWorkspace()
  const { client, home, workspace, ended } = made
  await client.createConcurrencyLimit({ name: 'l', limit: 2 })
  await concurrencyLimitsStub(workspace).acquire(
    {
      names: ['l'],
      slots: 1,
      mode: 'concurrency',
      lease: { seconds: 3600, holder: { type: 'flow_run', id: ended.id } },
    },
    Date.now() * 1000,
  )
  await sql(`UPDATE flow_run SET end_time = '2020-01-01T00:00:00Z' WHERE id = ?`, ended.id)
  await runInDurableObject(home, async (_, { storage }) => {
    storage.sql.exec('UPDATE run SET timer_at = NULL')
    await storage.deleteAlarm()
  })
  const repaired = await diagnosed(made, true)
  expect(new Set(kinds(repaired))).toEqual(
    new Set(['alarm_missing repaired', 'lease_of_ended repaired', 'timer_missing repaired']),
  )
  expect(await diagnosed(made, false)).toMatchObject({ findings: [] })
  const limits = await concurrencyLimitsStub(workspace).leases(Date.now() * 1000)
  expect(limits).toEqual([])
})

test('of another workspace, or of another kind, there are no diagnostics', async () => {
  const [one, other] = await Promise.all([aWorkspace(), aWorkspace()])
  const { id } = await one.client.startDiagnostics()
  await expect(other.client.readDiagnostics(id)).rejects.toMatchObject({ status: 404 })
  await expect(one.client.startDiagnostics({ repair: 'yes' } as never)).rejects.toMatchObject({
    status: 422,
  })
})

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { expect, test } from 'vitest'
import type { Jobs } from '../../worker/durable/jobs.ts'
import { JOB_STEPS, JobStore } from '../../worker/durable/job-store.ts'
import { migrate } from '../../worker/durable/migrate.ts'
import { jobsStub } from '../../worker/operations/stubs.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { setD1Faults } from '../support/d1-faults.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, type TestWorkspace } from '../support/workspace.ts'

async function aFlowWithAll({ client }: TestWorkspace) {
  const flow = await client.createFlow({ name: `f-${crypto.randomUUID()}` })
  await client.createWorkPool({ name: 'p', type: 'process' })
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: 'd',
    work_pool_name: 'p',
    schedules: [{ schedule: { interval: 3600 } }],
  })
  const waiting = await client.createFlowRunFromDeployment(deployment.id)
  const running = await client.createFlowRun({ flow_id: flow.id, idempotency_key: 'k' })
  await client.setFlowRunState(running.id, { type: 'RUNNING' })
  return { flow, deployment, runs: [waiting, running] }
}

/** Rings until nothing is left to do, without the waits between. */
async function finishJobs({ workspace }: TestWorkspace): Promise<void> {
  const stub = asStub(jobsStub(workspace))
  const hurry = async () =>
    await runInDurableObject(stub, (_jobs, { storage }) => {
      return storage.sql.exec(`UPDATE job SET at = 0 WHERE state = 'RUNNING'`).rowsWritten > 0
    })
  while (await hurry()) {
    // oxlint-disable-next-line no-await-in-loop
    await runDurableObjectAlarm(stub)
  }
}

test('a deleted flow is gone at once, and then all that was its', { timeout: 30_000 }, async () => {
  const made = await aWorkspace()
  const { client, workspace } = made
  const { flow, deployment, runs } = await aFlowWithAll(made)
  const kept = await client.createFlow({ name: 'kept' })
  const keptRun = await client.createFlowRun({ flow_id: kept.id })
  expect(await client.countFlowRuns()).toBeGreaterThan(4)
  await client.deleteFlow(flow.id)
  await expect(client.readFlow(flow.id)).rejects.toMatchObject({ status: 404 })
  await expect(client.readDeployment(deployment.id)).rejects.toMatchObject({ status: 404 })
  await expect(client.deleteFlow(flow.id)).rejects.toMatchObject({ status: 404 })
  await finishJobs(made)
  const left = await client.filterFlowRuns()
  expect(left.map(({ id }) => id)).toEqual([keptRun.id])
  await expect(client.readFlowRun(runs[1]?.id ?? '')).rejects.toMatchObject({ status: 404 })
  // Under its old name it is a new flow, whose keys are free.
  const again = await client.createFlow({ name: flow.name })
  const run = await client.createFlowRun({ flow_id: again.id, idempotency_key: 'k' })
  expect(run.id).not.toBe(runs[1]?.id)
  expect(await jobsStub(workspace).deleteFlow(objectContext(workspace), flow.id)).toBe(false)
})

test('a deletion goes on where it was interrupted', { timeout: 30_000 }, async () => {
  const made = await aWorkspace()
  const { client, workspace } = made
  const { flow, runs } = await aFlowWithAll(made)
  const [waiting, running] = runs.map(({ id }) => id)
  const context = objectContext(workspace)
  expect(await jobsStub(workspace).deleteFlow(context, crypto.randomUUID())).toBe(false)
  // Died before the flow was hidden, and, in another life, after the first of two runs was deleted.
  await client.deleteFlowRun(waiting ?? '')
  const left = {
    flow_id: flow.id,
    deployments: [],
    flow_run_ids: [waiting, running],
    empty_looks: 0,
  }
  await runInDurableObject(asStub(jobsStub(workspace)), async (_jobs, { storage }) => {
    storage.sql.exec(
      `INSERT INTO job (id, kind, state, parameters, left, done, skipped, created, at, tries)
        VALUES (?, 'delete_flow', 'RUNNING', ?, ?, 0, '{}', 0, 0, 0)`,
      crypto.randomUUID(),
      JSON.stringify({ flow_id: flow.id }),
      JSON.stringify(left),
    )
    await storage.setAlarm(Date.now() + 60_000)
  })
  await finishJobs(made)
  expect(await client.countFlowRuns()).toBe(0)
  expect(await client.countDeployments()).toBe(0)
  await expect(client.readFlow(flow.id)).rejects.toMatchObject({ status: 404 })
})

test(
  'a job survives that its object dies, that a step is lost and that the store is away',
  {
    timeout: 120_000,
  },
  async () => {
    const made = await aWorkspace()
    const { client, workspace } = made
    const { deployment } = await aFlowWithAll(made)
    const keys = Array.from({ length: 300 }, (_, index) => ({ idempotency_key: `many-${index}` }))
    await client.createFlowRunsFromDeployment(deployment.id, keys)
    const filter = {
      flow_runs: { idempotency_key: { any_: keys.map((key) => key.idempotency_key) } },
    }
    const { job } = await client.bulkRemoveFlowRuns(filter)
    const id = job?.id ?? ''
    const stub = asStub(jobsStub(workspace))
    const row = async (change: (sql: SqlStorage) => void = () => undefined) =>
      await runInDurableObject(stub, (_jobs, { storage }) => {
        change(storage.sql)
        return storage.sql
          .exec<{ left: string | null; done: number; tries: number }>(
            'SELECT * FROM job WHERE id = ?',
            id,
          )
          .one()
      })
    const ring = async () => {
      await row((sql) => sql.exec(`UPDATE job SET at = 0 WHERE state = 'RUNNING'`))
      await runDurableObjectAlarm(stub)
      await evictDurableObject(stub)
    }
    setD1Faults({ fail: 1 })
    await ring()
    const waiting = await row()
    expect(waiting.tries).toBeGreaterThan(0)
    setD1Faults({})
    expect(await client.readJob(id)).toMatchObject({
      state: 'RUNNING',
      message: 'The last step failed; it will be tried again.',
    })
    // Its step was taken, and the object died before that was written.
    const before = await row()
    await ring()
    await row((sql) => {
      sql.exec(
        `UPDATE job SET left = ?, done = ?, state = 'RUNNING', finished = NULL, skipped = '{}' WHERE id = ?`,
        before.left,
        before.done,
        id,
      )
    })
    await finishJobs(made)
    expect(await client.readJob(id)).toMatchObject({
      state: 'COMPLETED',
      message: null,
      finished: expect.any(String),
    })
    expect(await client.countFlowRuns(filter)).toBe(0)
    const again = await client.createFlowRunsFromDeployment(deployment.id, keys)
    expect(again.flow_runs.every(({ created }) => created)).toBe(true)
  },
)

test('a job that is cancelled stops after the step that it is taking; a deletion that must end does not', async () => {
  const made = await aWorkspace()
  const { client, workspace } = made
  const { flow, deployment } = await aFlowWithAll(made)
  await client.createFlowRunsFromDeployment(
    deployment.id,
    Array.from({ length: 300 }, () => ({})),
  )
  const chosen = { deployments: { id: { any_: [deployment.id] } } }
  const context = objectContext(workspace)
  const parameters = { change: 'cancel', filters: chosen, timeout_seconds: null }
  const cancelled = await runInDurableObject(asStub(jobsStub(workspace)), async (instance) => {
    const jobs = instance as Jobs
    // No alarm comes between the two.
    const job = await jobs.start(context, { kind: 'cancel_flow_runs', parameters, key: null }, 2)
    return jobs.cancel(context, job?.id ?? '')
  })
  expect(cancelled).toMatchObject({ state: 'CANCELLED', done: 250 })
  await finishJobs(made)
  expect(await client.readJob(cancelled?.id ?? '')).toEqual(cancelled)
  await client.deleteFlow(flow.id)
  const [deletion] = await client.listJobs(1)
  expect(deletion?.kind).toBe('delete_flow')
  await finishJobs(made)
  expect(await client.readJob(deletion?.id ?? '')).toMatchObject({ state: 'COMPLETED' })
})

test('a row of the release before becomes a job', async () => {
  const { workspace } = await aWorkspace()
  const flowId = crypto.randomUUID()
  const stub = asStub(jobsStub(workspace))
  await runInDurableObject(stub, (_jobs, { storage }) => {
    const { sql } = storage
    // All that came later, or the object could not be woken any more.
    for (const table of ['job', 'retention', 'audit_outbox']) {
      sql.exec(`DROP TABLE ${table}`)
    }
    sql.exec('DELETE FROM migration WHERE version > 1')
    sql.exec(JOB_STEPS.first)
    const body = {
      kind: 'delete_flow',
      flow_id: flowId,
      deployments: [],
      flow_run_ids: [],
      empty_looks: 0,
    }
    sql.exec(
      'INSERT INTO job (id, body, at, tries) VALUES (?, ?, 5, 2)',
      `delete_flow:${flowId}`,
      JSON.stringify(body),
    )
    migrate(sql, storage, [[], JOB_STEPS.second, JOB_STEPS.third])
    expect(new JobStore(sql).find(flowId)).toMatchObject({
      kind: 'delete_flow',
      state: 'RUNNING',
      parameters: { flow_id: flowId },
      left: { flow_id: flowId, deployments: [], flow_run_ids: [], empty_looks: 0 },
      at: 5,
    })
  })
  await evictDurableObject(stub)
  await runInDurableObject(stub, (_jobs, { storage: { sql } }) => {
    expect(new JobStore(sql).find(flowId)).toMatchObject({ kind: 'delete_flow' })
  })
})

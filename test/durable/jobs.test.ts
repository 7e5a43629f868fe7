import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { expect, test } from 'vitest'
import { jobsStub } from '../../worker/operations/stubs.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
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

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, expect, test } from 'vitest'
import { flowRunId } from '#core/flow-run-id.ts'
import { formatTimestamp, MICROS_PER_DAY } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { listHomes } from '#storage/homes.ts'
import { reserveIdempotencyKey } from '#storage/idempotency-keys.ts'
import type { Workspace } from '#storage/workspace.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { jobsStub } from '../../worker/operations/stubs.ts'
import { aFlow, aFlowRun, aTaskRun } from '../support/builders.ts'
import { setD1Faults } from '../support/d1-faults.ts'
import { asStub } from '../support/objects.ts'
import { limitAccount, rowsOf } from '../support/usage.ts'
import { aWorkspace } from '../support/workspace.ts'

afterEach(() => {
  setD1Faults({})
})

const NOW = Date.now() * 1000
const daysAgo = (days: number) => NOW - days * MICROS_PER_DAY

/** A run that was made and has ended so many days ago; null: it has not ended. */
async function anOldRun(workspace: Workspace, made: number, ended: number | null, given = {}) {
  const [home = ''] = await listHomes(workspace)
  const id = flowRunId(
    home,
    Math.floor(daysAgo(made) / 1000),
    crypto.getRandomValues(new Uint8Array(10)),
  )
  return await aFlowRun(workspace, {
    id,
    created: formatTimestamp(daysAgo(made)),
    expected_start_time: formatTimestamp(daysAgo(made)),
    state_type: ended === null ? 'RUNNING' : 'COMPLETED',
    state_name: ended === null ? 'Running' : 'Completed',
    end_time: ended === null ? null : formatTimestamp(daysAgo(ended)),
    ...given,
  })
}

/** Looks for what has been kept long enough, with the object dying after each step. @returns how many steps that took */
async function retainAll(workspace: Workspace): Promise<number> {
  const remote = jobsStub(workspace)
  const stub = asStub(remote)
  await remote.expectRetention(objectContext(workspace))
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec('UPDATE retention SET at = 0')
  })
  for (let steps = 1; ; steps += 1) {
    await runDurableObjectAlarm(stub)
    await evictDurableObject(stub)
    const [row] = await rowsOf(stub, 'SELECT "left" FROM retention')
    if (row === undefined || row['left'] === null) {
      return steps
    }
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec('UPDATE retention SET at = 0')
    })
  }
}

test('runs that are over for long enough go with all that hangs on them; others stay', async () => {
  const { client, workspace } = await aWorkspace()
  const other = await aWorkspace()
  await limitAccount(workspace, { flow_run_days: 10 })
  const flow = await aFlow(workspace)
  const old = await anOldRun(workspace, 30, 20, { flow_id: flow.id, idempotency_key: 'k' })
  await reserveIdempotencyKey(
    workspace,
    { flow_id: flow.id, key: 'k', flow_run_id: old.id },
    daysAgo(30),
  )
  const task = await aTaskRun(workspace, { flow_run_id: old.id })
  await workspace.database
    .prepare('UPDATE task_run SET flow_run_id = ? WHERE id = ?')
    .bind(old.id, task.id)
    .run()
  const artifact = await client.createArtifact({ key: 'shown', flow_run_id: old.id, data: 1 })
  await client.createArtifact({ key: 'older', data: 1 })
  await client.createArtifact({ key: 'older', flow_run_id: old.id, data: 2 })
  await client.createLogs([
    {
      name: 'test',
      level: 20,
      message: 'hello',
      timestamp: formatTimestamp(daysAgo(20)),
      flow_run_id: old.id,
    },
  ])
  const unfinished = await anOldRun(workspace, 30, null)
  const long = await anOldRun(workspace, 30, 2)
  const young = await anOldRun(workspace, 5, 4)
  const foreign = await anOldRun(other.workspace, 30, 20)
  const lone = await aTaskRun(workspace, {
    flow_run_id: null,
    state_type: 'COMPLETED',
    end_time: formatTimestamp(daysAgo(20)),
  })

  expect(await retainAll(workspace)).toBeGreaterThan(3)

  const left = (await client.filterFlowRuns({ sort: 'ID_DESC' })).map(({ id }) => id)
  expect(left.toSorted()).toEqual([unfinished.id, long.id, young.id].toSorted())
  await expect(client.readFlowRun(old.id)).rejects.toMatchObject({ status: 404 })
  await expect(client.readTaskRun(task.id)).rejects.toMatchObject({ status: 404 })
  await expect(client.readTaskRun(lone.id)).rejects.toMatchObject({ status: 404 })
  await expect(client.readArtifact(artifact.id)).rejects.toMatchObject({ status: 404 })
  await expect(client.readLatestArtifact('shown')).rejects.toMatchObject({ status: 404 })
  const { data } = await client.readLatestArtifact('older')
  expect(data).toBe(1)
  expect(await client.filterLogs({ logs: { flow_run_id: { any_: [old.id] } } })).toEqual([])
  const rows = await workspace.database
    .prepare(
      `SELECT (SELECT count(*) FROM flow_run WHERE workspace_id = ?1) AS runs,
        (SELECT count(*) FROM task_run WHERE workspace_id = ?1) AS tasks,
        (SELECT count(*) FROM idempotency_key WHERE workspace_id = ?1) AS keys`,
    )
    .bind(workspace.id)
    .first<JsonObject>()
  expect(rows).toEqual({ runs: 3, tasks: 0, keys: 0 })
  expect((await other.client.readFlowRun(foreign.id)).id).toBe(foreign.id)
})

test('many runs go in small steps, whatever fails in between, and only once a day is looked', async () => {
  const { client, workspace } = await aWorkspace()
  await limitAccount(workspace, { flow_run_days: 10 })
  const flow = await aFlow(workspace)
  for (let count = 0; count < 230; count += 1) {
    await anOldRun(workspace, 30, 20, { flow_id: flow.id })
  }
  const kept = await anOldRun(workspace, 30, 1, { flow_id: flow.id })
  setD1Faults({ fail: 0.3 })
  const stub = asStub(jobsStub(workspace))
  await jobsStub(workspace).expectRetention(objectContext(workspace))
  for (let tries = 0; tries < 12; tries += 1) {
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec('UPDATE retention SET at = 0 WHERE "left" IS NOT NULL OR at > 0')
    })
    await runDurableObjectAlarm(stub)
  }
  setD1Faults({})
  await retainAll(workspace)
  expect((await client.filterFlowRuns()).map(({ id }) => id)).toEqual([kept.id])
  const [{ at } = { at: 0 }] = await rowsOf(stub, 'SELECT at FROM retention')
  expect(Number(at)).toBeGreaterThan(Date.now() + 23 * 3_600_000)
})

test('a run that lives at its home stays, however old its row in the store is', async () => {
  const { client, workspace } = await aWorkspace()
  await limitAccount(workspace, { flow_run_days: 10 })
  const run = await anOldRun(workspace, 30, 20)
  // It comes back to its home, and runs again.
  await client.setFlowRunState(run.id, { type: 'RUNNING' }, true)
  await retainAll(workspace)
  expect((await client.readFlowRun(run.id)).state_type).toBe('RUNNING')
})

test('without a limit of days nothing goes; without any run nobody looks again', async () => {
  const { client, workspace } = await aWorkspace()
  await limitAccount(workspace, { flow_run_days: null })
  const run = await anOldRun(workspace, 3000, 2900)
  await retainAll(workspace)
  expect((await client.readFlowRun(run.id)).id).toBe(run.id)
  const empty = await aWorkspace()
  await retainAll(empty.workspace)
  expect(await rowsOf(asStub(jobsStub(empty.workspace)), 'SELECT at FROM retention')).toEqual([])
})

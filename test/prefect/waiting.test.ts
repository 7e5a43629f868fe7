import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../core/wire/common.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { aPrefect, IS_NEWEST, type PrefectProcess, SINCE_3_6 } from '../support/node/prefect.ts'

const prefect = aPrefect()
const FLOWS = ['pausing', 'suspending', 'touring', 'second-try', 'quick', 'caller']
let deployments: Record<string, string>
let worker: PrefectProcess

beforeAll(async () => {
  await prefect.client.createWorkPool({ name: 'p', type: 'process' })
  deployments = await prefect.deploy('waiting.py', FLOWS, 'p')
  worker = prefect.spawn(['worker', 'start', '--pool', 'p', '--type', 'process'], {
    // Asks often, so that the test need not wait.
    env: { PREFECT_WORKER_QUERY_SECONDS: '1' },
  })
  await worker.says('started!')
})

afterAll(async () => {
  await worker.stop()
})

async function trigger(flow: string, parameters: JsonObject = {}): Promise<FlowRun> {
  return await prefect.client.createFlowRunFromDeployment(deployments[flow] ?? '', { parameters })
}

const reaches = (run: FlowRun, name: string) =>
  prefect.reaches(run, name, ({ state_name }) => state_name === name)

/** What the tasks of a run have left behind. */
function journal({ id }: FlowRun): string[] {
  const file = prefect.sandbox.path(`journal-${id}`)
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

async function python(script: string): Promise<void> {
  const { code, stderr } = await prefect.python(script)
  expect({ code, stderr }).toMatchObject({ code: 0 })
}

describe('a flow that waits for a resume', () => {
  it('pauses in its process, and goes on there', async () => {
    const [resumed, forgotten] = await Promise.all([
      trigger('pausing'),
      trigger('pausing', { timeout: 2 }),
    ])
    const paused = await reaches(resumed, 'Paused')
    expect(paused.state?.state_details).toMatchObject({ pause_reschedule: false })
    await python(`from prefect import resume_flow_run; resume_flow_run("${resumed.id}")`)
    const [done, failed] = await Promise.all([prefect.ends(resumed), prefect.ends(forgotten)])
    expect(done).toMatchObject({ state_name: 'Completed', run_count: 1 })
    expect(journal(done)).toEqual(['step 1', 'step 2'])
    expect(failed).toMatchObject({ state_type: 'FAILED' })
    expect(journal(failed)).toEqual(['step 1'])
  })

  it('suspends, and goes on in another process with what it had', async () => {
    const run = await trigger('suspending')
    const suspended = await reaches(run, 'Suspended')
    expect(suspended.state?.state_details).toMatchObject({ pause_reschedule: true })
    await python(`from prefect import resume_flow_run; resume_flow_run("${run.id}")`)
    const done = await prefect.ends(run)
    expect(done).toMatchObject({ state_name: 'Completed', run_count: 1 })
    expect(journal(done)).toEqual(['step 1', 'step 2'])
    const states = await prefect.client.readFlowRunStates(run.id)
    expect(states.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Suspended', 'Resuming', 'Running', 'Completed']),
    )
  })

  // Older releases don't look who has suspended them.
  it.runIf(IS_NEWEST)('is suspended from outside, between two tasks', async () => {
    const run = await trigger('touring')
    await prefect.reaches(run, 'under way', () => journal(run).length > 2)
    await python(`from prefect import suspend_flow_run; suspend_flow_run(flow_run_id="${run.id}")`)
    await reaches(run, 'Suspended')
    const isStill = async () => {
      const before = journal(run).length
      await new Promise((resolve) => setTimeout(resolve, 1500))
      return journal(run).length === before
    }
    await expect.poll(isStill).toBe(true)
    expect(await prefect.client.readFlowRun(run.id)).toMatchObject({ state_name: 'Suspended' })
  })
})

describe('a flow that waits for another run', () => {
  it('calls deployments, and waits for them or does not', async () => {
    const run = await trigger('caller')
    expect(await prefect.ends(run)).toMatchObject({ state_name: 'Completed' })
    const children = await prefect.client.filterFlowRuns({
      flow_runs: { deployment_id: { any_: [deployments['quick'] ?? ''] } },
      sort: 'EXPECTED_START_TIME_ASC',
    })
    expect(children).toMatchObject([{ parameters: { number: 2 } }, { tags: ['later'] }])
    expect(children[0]?.parent_task_run_id).toEqual(expect.any(String))
    expect(children[1]?.parent_task_run_id).toBeNull()
  })

  it.runIf(SINCE_3_6)('is watched with what it logs', async () => {
    const run = await trigger('caller')
    const said = await prefect.succeeds(['flow-run', 'watch', run.id])
    expect(said).toContain('both are called')
    expect(said).toContain('finished successfully')
  })

  it('is watched to its end by the command that asked for it', async () => {
    const said = await prefect.succeeds(['deployment', 'run', 'quick/d', '--watch'])
    expect(said).toContain('finished successfully')
  })
})

describe('prefect flow-run execute', () => {
  it('runs a run of a deployment without a pool', async () => {
    const { client } = prefect
    const { flow_id, pull_steps } = await client.readDeploymentByName('quick', 'd')
    const lone = { name: 'lone', flow_id, pull_steps, entrypoint: 'waiting.py:quick' }
    const { id } = await client.createDeployment(lone)
    const run = await client.createFlowRunFromDeployment(id, {})
    await prefect.succeeds(['flow-run', 'execute', run.id])
    expect(await client.readFlowRun(run.id)).toMatchObject({ state_name: 'Completed' })
  })
})

describe('prefect flow-run retry', () => {
  it.runIf(SINCE_3_6)('runs a failed run once more', async () => {
    const run = await trigger('second-try')
    expect(await prefect.ends(run)).toMatchObject({ state_name: 'Failed', run_count: 1 })
    await prefect.succeeds(['flow-run', 'retry', run.id])
    const again = await prefect.reaches(run, 'over', ({ state_name }) => state_name === 'Completed')
    expect(again.run_count).toBe(2)
    expect(await prefect.fails(['flow-run', 'cancel', run.id])).toContain('COMPLETED')
  })
})

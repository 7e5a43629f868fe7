import { describe, expect, it } from 'vitest'
import type { DeploymentFlowRunCreate } from '#core/wire/deployment.ts'
import { aWorkspace, clientOf, type TestWorkspace } from '../support/workspace.ts'

/** A run of a deployment that an agent has started, with a subflow and a task under way in its process. */
async function aParent({ client }: TestWorkspace, given: DeploymentFlowRunCreate = {}) {
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const flow = await client.createFlow({ name: `flow ${crypto.randomUUID()}` })
  const deployment = await client.createDeployment({
    name: 'parent',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
  })
  const run = await client.createFlowRunFromDeployment(deployment.id, given)
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const claimed = await client.claim(pool.name, { agent, limit: 1 })
  const execution = { flow_run_id: run.id, fence: 1 }
  await client.accept(pool.name, { agent_id: agent.agent_id, executions: [execution] })
  const inside = clientOf(claimed.runs[0]?.run_token)
  await inside.setFlowRunState(run.id, { type: 'RUNNING' })

  const tracking = await inside.createTaskRun({
    flow_run_id: run.id,
    task_key: 'child-subflow',
    dynamic_key: '0',
    state: { type: 'PENDING' },
  })
  const childFlow = await inside.createFlow({ name: `child ${crypto.randomUUID()}` })
  const child = await inside.createFlowRun({
    flow_id: childFlow.id,
    parent_task_run_id: tracking.id,
    state: { type: 'PENDING' },
  })
  await inside.setFlowRunState(child.id, { type: 'RUNNING' })
  const task = await inside.createTaskRun({
    flow_run_id: run.id,
    task_key: 'work',
    dynamic_key: '0',
    state: { type: 'RUNNING' },
  })
  const finish = async () =>
    await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, signal: 'SIGKILL' }],
    })
  return { pool, agent, childFlow, run, child, tracking, task, finish }
}

describe('a subflow', () => {
  it('shows its states on the task run that stands for it', async () => {
    const test = await aWorkspace()
    const { child, tracking } = await aParent(test)
    await expect
      .poll(async () => (await test.client.readTaskRun(tracking.id)).state_type)
      .toBe('RUNNING')
    await test.client.setFlowRunState(child.id, { type: 'COMPLETED' })
    await expect
      .poll(async () => (await test.client.readTaskRun(tracking.id)).state_type)
      .toBe('COMPLETED')
  })

  it('ends with the process of its parent, and so do its tasks', async () => {
    const test = await aWorkspace()
    const { client } = test
    const { run, child, task, tracking, finish } = await aParent(test)
    await finish()
    expect(await client.readFlowRun(run.id)).toMatchObject({ state_type: 'CRASHED' })
    await expect.poll(async () => (await client.readFlowRun(child.id)).state_type).toBe('CRASHED')
    await expect.poll(async () => (await client.readTaskRun(task.id)).state_type).toBe('CRASHED')
    await expect
      .poll(async () => (await client.readTaskRun(tracking.id)).state_type)
      .toBe('CRASHED')
  })

  it('of the next attempt of its parent is left alone', async () => {
    const test = await aWorkspace()
    const { client } = test
    const empirical_policy = { infrastructure_retries: 1 }
    const { pool, agent, childFlow, run, child, tracking, finish } = await aParent(test, {
      empirical_policy,
    })
    await finish()
    const again = await client.claim(pool.name, { agent, limit: 1 })
    expect(again.runs).toMatchObject([{ fence: 2, flow_run: { id: run.id } }])
    const executions = [{ flow_run_id: run.id, fence: 2 }]
    await client.accept(pool.name, { agent_id: agent.agent_id, executions })
    const inside = clientOf(again.runs[0]?.run_token)
    await inside.setFlowRunState(run.id, { type: 'RUNNING' })
    const next = await inside.createFlowRun({
      flow_id: childFlow.id,
      parent_task_run_id: tracking.id,
      state: { type: 'RUNNING' },
    })
    await expect.poll(async () => (await client.readFlowRun(child.id)).state_type).toBe('CRASHED')
    expect(await client.readFlowRun(next.id)).toMatchObject({ state_type: 'RUNNING' })
  })

  it('is cancelled with its parent', async () => {
    const test = await aWorkspace()
    const { client } = test
    const { run, child, finish } = await aParent(test)
    await client.setFlowRunState(run.id, { type: 'CANCELLING' })
    await finish()
    expect(await client.readFlowRun(run.id)).toMatchObject({ state_type: 'CANCELLED' })
    await expect.poll(async () => (await client.readFlowRun(child.id)).state_type).toBe('CANCELLED')
  })
})

import { describe, expect, it } from 'vitest'
import type { AgentIdentity } from '#core/wire/execution.ts'
import type { DeploymentSignature } from '#core/wire/signature.ts'
import { call, faults } from '../support/call.ts'
import { aWorkspace, clientOf, type TestWorkspace } from '../support/workspace.ts'

const anAgent = (): AgentIdentity => ({
  agent_id: crypto.randomUUID(),
  name: `agent-${crypto.randomUUID().slice(0, 8)}`,
  version: '0.1.0',
})

async function aDeployment({ client }: TestWorkspace, pool: string, queue?: string) {
  const flow = await client.createFlow({ name: `flow ${crypto.randomUUID()}` })
  return await client.createDeployment({
    name: 'test',
    flow_id: flow.id,
    work_pool_name: pool,
    enforce_parameter_schema: false,
    entrypoint: 'hello.ts:hello',
    ...(queue === undefined ? {} : { work_queue_name: queue }),
  })
}

async function aPool(test: TestWorkspace) {
  return await test.client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
}

const SIGNATURE: DeploymentSignature = {
  algorithm: 'ed25519',
  key_id: '0123456789abcdef0123456789abcdef',
  signed_at: '2026-01-02T03:04:05.678900Z',
  digests: { entrypoint: 'ab'.repeat(32) },
  signature: `${'A'.repeat(86)}==`,
}

describe('the signature of a deployment', () => {
  it('is kept as it is, and handed to the agent with the run', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const { id, signature } = await aDeployment(test, pool.name)
    expect(signature).toBeNull()
    await client.updateDeployment(id, { signature: SIGNATURE })
    // Whoever changes something else leaves it: the agent finds out what it is worth then.
    await client.updateDeployment(id, { entrypoint: 'other.ts:other' })
    expect((await client.readDeployment(id)).signature).toEqual(SIGNATURE)
    await client.createFlowRunFromDeployment(id)
    const { runs } = await client.claim(pool.name, { agent: anAgent(), limit: 1 })
    expect(runs).toMatchObject([{ deployment: { signature: SIGNATURE } }])
    await client.updateDeployment(id, { signature: null })
    expect((await client.readDeployment(id)).signature).toBeNull()
  })

  it.each([
    [{ algorithm: 'none' }, 'algorithm'],
    [{ key_id: 'short' }, 'key_id'],
    [{ signature: 'AAAA' }, 'signature'],
    [{ signed_at: 'now' }, 'signed_at'],
    [{ digests: { entrypoint: 'none' } }, 'digests.entrypoint'],
    [{ more: 1 }, 'more'],
  ])('with %o is refused by the name of the field', async (wrong, field) => {
    const test = await aWorkspace()
    const { id } = await aDeployment(test, (await aPool(test)).name)
    const body = { signature: { ...SIGNATURE, ...wrong } }
    const answer = await call(test.key, 'PATCH', `/deployments/${id}`, body)
    expect(answer.status).toBe(422)
    expect(faults(answer.body)).toEqual([['body', 'signature', ...field.split('.')]])
  })
})

describe("an agent's link", () => {
  it('carries a run from its claim to its end', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const created = await client.createFlowRunFromDeployment(deployment.id)
    expect(created).toMatchObject({ state_type: 'SCHEDULED', work_pool_name: pool.name })

    const agent = anAgent()
    const claimed = await client.claim(pool.name, { agent, limit: 5 })
    expect(claimed.runs).toHaveLength(1)
    const [run] = claimed.runs
    expect(run).toMatchObject({
      fence: 1,
      flow_run: { id: created.id, state_type: 'PENDING' },
      deployment: { id: deployment.id, entrypoint: 'hello.ts:hello' },
    })
    expect((await client.claim(pool.name, { agent, limit: 5 })).runs).toEqual([])

    const execution = { flow_run_id: created.id, fence: 1 }
    const accepted = await client.accept(pool.name, {
      agent_id: agent.agent_id,
      executions: [execution],
    })
    expect(accepted.results).toMatchObject([{ answer: 'go' }])

    const inside = clientOf(run?.run_token)
    const running = await inside.setFlowRunState(created.id, { type: 'RUNNING' })
    expect(running).toMatchObject({ status: 'ACCEPT', state: { type: 'RUNNING' } })
    const renewed = await client.renew(pool.name, { agent, executions: [execution] })
    expect(renewed.results).toMatchObject([{ answer: 'keep' }])
    await inside.setFlowRunState(created.id, { type: 'COMPLETED' })

    const finished = await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, exit_code: 0 }],
    })
    expect(finished.results).toMatchObject([{ answer: 'ended', state: { type: 'COMPLETED' } }])
    const again = await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, exit_code: 0 }],
    })
    expect(again.results).toMatchObject([{ answer: 'stale' }])
    expect(await client.readFlowRun(created.id)).toMatchObject({
      state_type: 'COMPLETED',
      run_count: 1,
    })
    const states = await client.readFlowRunStates(created.id)
    expect(states.map(({ name }) => name)).toEqual(['Scheduled', 'Pending', 'Running', 'Completed'])
    const [state] = states
    expect(await client.readFlowRunState(state?.id ?? '')).toEqual(state)
  })

  it('refuses what comes under an old fence', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const created = await client.createFlowRunFromDeployment(deployment.id)
    const agent = anAgent()
    const { runs } = await client.claim(pool.name, { agent, limit: 1 })
    const token = runs[0]?.run_token
    const execution = { flow_run_id: created.id, fence: 1 }
    await client.accept(pool.name, { agent_id: agent.agent_id, executions: [execution] })
    await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, exit_code: 1 }],
    })
    expect(await client.readFlowRun(created.id)).toMatchObject({ state_type: 'CRASHED' })
    await client.setFlowRunState(created.id, { type: 'SCHEDULED' })

    const late = await clientOf(token).setFlowRunState(created.id, { type: 'RUNNING' })
    expect(late).toMatchObject({ status: 'ABORT' })
    const renewed = await client.renew(pool.name, { agent, executions: [execution] })
    expect(renewed.results).toMatchObject([{ answer: 'stop' }])
    const second = await client.claim(pool.name, { agent: anAgent(), limit: 1 })
    expect(second.runs[0]?.fence).toBeGreaterThan(1)
  })

  it('puts a run back that its agent could not start because it was itself stopped', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const { id } = await client.createFlowRunFromDeployment(deployment.id)
    const agent = anAgent()
    await client.claim(pool.name, { agent, limit: 1 })
    const execution = { flow_run_id: id, fence: 1 }
    await client.accept(pool.name, { agent_id: agent.agent_id, executions: [execution] })
    const finished = await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, not_started: true, interrupted: true }],
    })
    expect(finished.results).toMatchObject([{ answer: 'ended', state: { type: 'SCHEDULED' } }])
    const claimed = await client.claim(pool.name, { agent: anAgent(), limit: 1 })
    expect(claimed.runs).toMatchObject([{ fence: 2, flow_run: { id } }])
  })

  it('asks an agent for the runs that it should have and does not name', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const made = await Promise.all(
      [1, 2].map(async () => await client.createFlowRunFromDeployment(deployment.id)),
    )
    const agent = anAgent()
    await client.claim(pool.name, { agent, limit: 2 })
    const executions = made.map(({ id }) => ({ flow_run_id: id, fence: 1 }))
    const reconcile = async (named: typeof executions) =>
      (await client.renew(pool.name, { agent, executions: named, reconcile: true })).missing
    // Not accepted: nothing was started, and they go back by themselves.
    expect(await reconcile([])).toEqual([])
    await client.accept(pool.name, { agent_id: agent.agent_id, executions })
    const [, second] = executions
    expect(await reconcile(executions.slice(0, 1))).toEqual([second])
    expect(await reconcile(executions)).toEqual([])
    const plain = await client.renew(pool.name, { agent, executions: [] })
    expect(plain.missing).toBeUndefined()
    const other = await client.renew(pool.name, {
      agent: anAgent(),
      executions: [],
      reconcile: true,
    })
    expect(other.missing).toEqual([])
    const proof = { flow_run_id: made[0]?.id ?? '', fence: 1, interrupted: true }
    const { results } = await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [proof],
    })
    expect(results).toMatchObject([{ answer: 'ended', state: { type: 'SCHEDULED' } }])
  })

  it('ends with a deleted pool: runs go on to their end, and nothing more is claimed', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const live = await client.createFlowRunFromDeployment(deployment.id)
    const agent = anAgent()
    const claim = { agent, limit: 1, work_pool_id: pool.id }
    const { runs } = await client.claim(pool.name, claim)
    const execution = { flow_run_id: live.id, fence: 1 }
    const { agent_id } = agent
    await client.accept(pool.name, { agent_id, executions: [execution] })
    const inside = clientOf(runs[0]?.run_token)
    await inside.setFlowRunState(live.id, { type: 'RUNNING' })
    const waiting = await client.createFlowRunFromDeployment(deployment.id)
    const renewed = async () =>
      (await client.renew(pool.name, { agent, executions: [execution] })).results

    await client.deleteWorkPool(pool.name)
    await expect(client.claim(pool.name, claim)).rejects.toMatchObject({ status: 410 })
    await expect(client.claim(pool.name, { agent, limit: 1 })).rejects.toMatchObject({
      status: 404,
    })
    expect(await renewed()).toMatchObject([{ answer: 'keep' }])

    const again = await client.createWorkPool({ name: pool.name, type: 'process' })
    expect(again.id).not.toBe(pool.id)
    await expect(client.claim(pool.name, claim)).rejects.toMatchObject({ status: 410 })
    const fresh = await client.claim(pool.name, { ...claim, work_pool_id: again.id })
    expect(fresh.runs).toEqual([])
    expect(await renewed()).toMatchObject([{ answer: 'keep' }])
    await inside.setFlowRunState(live.id, { type: 'COMPLETED' })
    const { results } = await client.finish(pool.name, {
      agent_id,
      executions: [{ ...execution, exit_code: 0 }],
    })
    expect(results).toMatchObject([{ answer: 'ended', state: { type: 'COMPLETED' } }])
    expect(await client.readFlowRun(waiting.id)).toMatchObject({
      state_type: 'SCHEDULED',
      work_queue_id: null,
    })
    const cancelled = await client.setFlowRunState(waiting.id, { type: 'CANCELLING' })
    expect(cancelled.state).toMatchObject({ type: 'CANCELLED' })
  })

  it('stops a run that is cancelled', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const created = await client.createFlowRunFromDeployment(deployment.id)
    const agent = anAgent()
    const { runs } = await client.claim(pool.name, { agent, limit: 1 })
    const execution = { flow_run_id: created.id, fence: 1 }
    await client.accept(pool.name, { agent_id: agent.agent_id, executions: [execution] })
    await clientOf(runs[0]?.run_token).setFlowRunState(created.id, { type: 'RUNNING' })
    const cancelling = await client.setFlowRunState(created.id, { type: 'CANCELLING' })
    expect(cancelling).toMatchObject({ status: 'ACCEPT' })
    const renewed = await client.renew(pool.name, { agent, executions: [execution] })
    expect(renewed.results).toMatchObject([{ answer: 'cancel', grace_seconds: 30 }])
    const finished = await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, signal: 'SIGTERM' }],
    })
    expect(finished.results).toMatchObject([{ answer: 'ended', state: { type: 'CANCELLED' } }])
  })

  it('takes the crash that a run forces while it is cancelled for the cancelling at work', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const { id } = await client.createFlowRunFromDeployment(deployment.id)
    const agent = anAgent()
    const { runs } = await client.claim(pool.name, { agent, limit: 1 })
    const execution = { flow_run_id: id, fence: 1 }
    await client.accept(pool.name, { agent_id: agent.agent_id, executions: [execution] })
    const engine = clientOf(runs[0]?.run_token)
    await engine.setFlowRunState(id, { type: 'RUNNING' })
    await client.setFlowRunState(id, { type: 'CANCELLING' })
    expect(await engine.setFlowRunState(id, { type: 'CRASHED' }, true)).toMatchObject({
      status: 'REJECT',
      state: { type: 'CANCELLING' },
    })
    const finished = await client.finish(pool.name, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, signal: 'SIGTERM' }],
    })
    expect(finished.results).toMatchObject([{ answer: 'ended', state: { type: 'CANCELLED' } }])
  })

  it('wakes a long poll by the commit that makes a run claimable', async () => {
    const test = await aWorkspace()
    const { client } = test
    const pool = await aPool(test)
    const deployment = await aDeployment(test, pool.name)
    const waiting = client.claim(pool.name, { agent: anAgent(), limit: 1, wait_seconds: 20 })
    await new Promise((resolve) => setTimeout(resolve, 200))
    const created = await client.createFlowRunFromDeployment(deployment.id)
    expect((await waiting).runs[0]?.flow_run.id).toBe(created.id)
  })
})

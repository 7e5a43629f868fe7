import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { DoorbellFrame } from '#core/wire/execution.ts'
import { readHomeWorkPoolByName } from '#storage/work-pools.ts'
import type { WorkPool } from '../../worker/durable/work-pool.ts'
import { aWorkspace, bindings, fetchWorker, type TestWorkspace } from '../support/workspace.ts'

const anAgent = () => ({ agent_id: crypto.randomUUID(), name: 'bell', version: '0.1.0' })
const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000))

async function aPoolWithDeployment({ client }: TestWorkspace) {
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const flow = await client.createFlow({ name: `flow ${crypto.randomUUID()}` })
  const deployment = await client.createDeployment({
    name: 'test',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
  })
  return { pool, deployment }
}

async function openDoorbell(
  { client, key }: TestWorkspace,
  pool: string,
  agentId: string,
  queues?: string[],
) {
  const where = client.doorbell(pool, {
    agentId,
    version: 0,
    ...(queues === undefined ? {} : { queues }),
  })
  const response = await fetchWorker(where.url.replace(/^ws/, 'http'), {
    headers: { Upgrade: 'websocket', Authorization: `Bearer ${key}` },
  })
  const socket = response.webSocket
  if (socket === null) {
    throw new Error(`the doorbell was refused with ${response.status}`)
  }
  const frames: DoorbellFrame[] = []
  socket.addEventListener('message', ({ data }) => {
    frames.push(JSON.parse(String(data)))
  })
  socket.accept()
  return { socket, frames }
}

async function homeOf({ workspace }: TestWorkspace, pool: string) {
  const config = await readHomeWorkPoolByName(workspace, pool)
  const name = `${workspace.id}:home:${String(config?.home_key)}`
  return bindings.WORK_POOL.get(bindings.WORK_POOL.idFromName(name))
}

/** A mark on the object in memory: gone when the object was. */
const MARK = Symbol('mark')
type Marked = WorkPool & { [MARK]?: true }
const isMarked = async (stub: DurableObjectStub<WorkPool>) =>
  await runInDurableObject(stub, (object: Marked) => object[MARK] === true)
const mark = async (stub: DurableObjectStub<WorkPool>) =>
  await runInDurableObject(stub, (object: Marked) => {
    object[MARK] = true
  })

describe('the doorbell', () => {
  it('lets the object hibernate while an agent waits and another one polls', async () => {
    const test = await aWorkspace()
    const { pool, deployment } = await aPoolWithDeployment(test)
    const bell = await openDoorbell(test, pool.name, crypto.randomUUID())
    const poll = test.client.claim(pool.name, { agent: anAgent(), limit: 1, wait_seconds: 25 })
    await seconds(1)
    const stub = await homeOf(test, pool.name)
    await mark(stub)
    expect(await isMarked(stub)).toBe(true)
    // It looks once, after 5 seconds, who has come to be served; ten idle seconds later it is gone.
    await seconds(19)
    expect(await isMarked(stub)).toBe(false)

    const first = await test.client.createFlowRunFromDeployment(deployment.id)
    const second = await test.client.createFlowRunFromDeployment(deployment.id)
    const polled = (await poll).runs.map(({ flow_run }) => flow_run.id)
    expect([first.id, second.id]).toContain(polled[0])
    await expect.poll(() => bell.frames.filter(({ type }) => type === 'work').length).toBe(1)
    bell.socket.close()
  }, 40_000)

  it('rings at once for what was committed between an empty claim and the open doorbell', async () => {
    const test = await aWorkspace()
    const { pool, deployment } = await aPoolWithDeployment(test)
    const agent = anAgent()
    expect((await test.client.claim(pool.name, { agent, limit: 1 })).runs).toEqual([])
    await test.client.createFlowRunFromDeployment(deployment.id)
    const bell = await openDoorbell(test, pool.name, agent.agent_id)
    await expect.poll(() => bell.frames.map(({ type }) => type)).toEqual(['work'])
    bell.socket.close()
  })

  it('rings one waiter for one run, and the next one when that stays silent', async () => {
    const test = await aWorkspace()
    const { pool, deployment } = await aPoolWithDeployment(test)
    const bells = [
      await openDoorbell(test, pool.name, crypto.randomUUID()),
      await openDoorbell(test, pool.name, crypto.randomUUID()),
    ]
    const rung = () => bells.filter(({ frames }) => frames.length > 0).length
    await test.client.createFlowRunFromDeployment(deployment.id)
    await expect.poll(rung).toBe(1)
    await seconds(1)
    expect(rung()).toBe(1)
    await expect.poll(rung).toBe(2)
  }, 15_000)

  it('rings nobody for a queue that he does not serve', async () => {
    const test = await aWorkspace()
    const { pool, deployment } = await aPoolWithDeployment(test)
    await test.client.createWorkQueue(pool.name, { name: 'other' })
    const bell = await openDoorbell(test, pool.name, crypto.randomUUID(), ['other'])
    await test.client.createFlowRunFromDeployment(deployment.id)
    await seconds(0.3)
    expect(bell.frames).toEqual([])
    await test.client.createFlowRunFromDeployment(deployment.id, { work_queue_name: 'other' })
    await expect.poll(() => bell.frames.length).toBe(1)
  })

  it('tells an agent at once that a run of its is being cancelled', async () => {
    const test = await aWorkspace()
    const { pool, deployment } = await aPoolWithDeployment(test)
    const agent = anAgent()
    const run = await test.client.createFlowRunFromDeployment(deployment.id)
    await test.client.claim(pool.name, { agent, limit: 1 })
    const execution = { flow_run_id: run.id, fence: 1 }
    await test.client.accept(pool.name, { agent_id: agent.agent_id, executions: [execution] })
    const bell = await openDoorbell(test, pool.name, agent.agent_id)
    const types = () => bell.frames.map(({ type }) => type)
    // Who comes back says what he runs; nothing else is told before something happens.
    await expect.poll(types).toEqual(['renew'])
    await test.client.setFlowRunState(run.id, { type: 'CANCELLING' }, true)
    await expect.poll(types).toEqual(['renew', 'renew'])
  })
})

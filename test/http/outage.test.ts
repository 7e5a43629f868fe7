import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { TaskRun } from '#core/wire/task-run.ts'
import { findFlowRun } from '#storage/flow-runs.ts'
import { eventStreamStub, homeStub } from '../../worker/operations/stubs.ts'
import { call } from '../support/call.ts'
import { setD1Faults, type D1Faults } from '../support/d1-faults.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, API_URL, clientOf, fetchWorker } from '../support/workspace.ts'

// What is served while D1 is away, in each of the ways in which it can be away.

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  // A day ahead, so that no alarm rings by itself.
  vi.setSystemTime(Date.now() + 86_400_000)
})
afterEach(() => {
  setD1Faults({})
  vi.useRealTimers()
})

const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }

/** A pool with a deployment and a run that has begun, all of which the Worker has seen. */
async function aLiveRun() {
  const test = await aWorkspace()
  const { client, workspace, key } = test
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const flow = await client.createFlow({ name: 'etl' })
  const deployment = await client.createDeployment({
    name: 'nightly',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
  })
  const run = await client.createFlowRunFromDeployment(deployment.id)
  await client.createFlowRun({ flow_id: flow.id, state: { type: 'COMPLETED' } })
  await call(key, 'GET', '/admin/storage')
  await call(key, 'GET', `/flows/${flow.id}`)
  const { runs } = await client.claim(pool.name, { agent, limit: 1 })
  const fence = runs[0]?.fence ?? 0
  const token = runs[0]?.run_token ?? ''
  const executions = [{ flow_run_id: run.id, fence }]
  await client.accept(pool.name, { agent_id: agent.agent_id, executions })
  // Its code has been heard of.
  await clientOf(token).setFlowRunState(run.id, { type: 'RUNNING' })
  const home = asStub(homeStub(workspace, homeKeyOf(run.id)))
  const stream = asStub(eventStreamStub(workspace, run.id))
  return { client, workspace, key, pool, flow, deployment, run, token, executions, home, stream }
}

/** Away, for longer than what is known of keys counts as fresh. */
function goAway(faults: D1Faults): void {
  setD1Faults(faults)
  vi.setSystemTime(Date.now() + 6000)
}

async function settle(object: DurableObjectStub): Promise<void> {
  for (let rings = 0; rings < 6; rings += 1) {
    const at = await runInDurableObject(object, (_, state) => state.storage.getAlarm())
    vi.setSystemTime(Math.max(Date.now(), at ?? 0) + 1)
    await runDurableObjectAlarm(object)
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  }
}

const AWAY: [string, D1Faults][] = [
  ['fails', { fail: 1 }],
  ['does not answer', { hang: 1 }],
  ['is full', { full: 1 }],
  ['loses its answers', { lose: 1 }],
]

describe.each(AWAY)('while D1 %s', (_name, faults) => {
  it('a live run goes on, in every call of its code and of its agent', async () => {
    const { client, workspace, key, pool, flow, deployment, run, token, executions, home, stream } =
      await aLiveRun()
    const waiting = await client.createFlowRunFromDeployment(deployment.id)
    goAway(faults)
    const seen: Record<string, number> = {}
    const ask = async (who: string, method: string, path: string, body?: unknown) => {
      const answer = await call(who, method, path, body)
      const shown = path.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID').replace(pool.name, 'POOL')
      seen[`${method} ${shown}`] = answer.status
      return answer.body
    }

    // Its code
    await ask(token, 'GET', `/flow_runs/${run.id}`)
    await ask(token, 'GET', `/deployments/${deployment.id}`)
    await ask(token, 'GET', `/flows/${flow.id}`)
    await ask(token, 'GET', '/admin/storage')
    await ask(token, 'GET', `/flow_run_states/?flow_run_id=${run.id}`)
    await ask(token, 'PATCH', `/flow_runs/${run.id}`, { infrastructure_pid: 'a' })
    await ask(token, 'PATCH', `/flow_runs/${run.id}/labels`, { a: 'b' })
    await ask(token, 'POST', '/flows/', { name: flow.name })
    const task = (await ask(token, 'POST', '/task_runs/', {
      flow_run_id: run.id,
      task_key: 'child',
      dynamic_key: '0',
      state: { type: 'PENDING' },
    })) as TaskRun
    await ask(token, 'GET', `/task_runs/${task.id}`)
    await ask(token, 'POST', `/task_runs/${task.id}/set_state`, { state: { type: 'RUNNING' } })
    const child = (await ask(token, 'POST', '/flow_runs/', {
      flow_id: flow.id,
      parent_task_run_id: task.id,
      state: { type: 'PENDING' },
    })) as FlowRun
    await ask(token, 'POST', `/flow_runs/${child.id}/set_state`, { state: { type: 'COMPLETED' } })
    const line = {
      name: 'n',
      level: 20,
      message: 'm',
      timestamp: formatTimestamp(Date.now() * 1000),
    }
    await ask(token, 'POST', '/logs/', [{ ...line, flow_run_id: run.id }])
    await ask(token, 'POST', '/events', [])
    await ask(token, 'POST', '/v2/concurrency_limits/increment', { names: ['none'], slots: 1 })
    // Its agent
    await ask(key, 'POST', `/work_pools/${pool.name}/renew`, { agent, executions })
    const claimed = (await ask(key, 'POST', `/work_pools/${pool.name}/claim`, {
      agent,
      limit: 5,
    })) as { runs: { flow_run: FlowRun; fence: number }[] }
    expect(claimed.runs.map(({ flow_run }) => flow_run.id)).toEqual([waiting.id])
    await ask(key, 'POST', `/work_pools/${pool.name}/accept`, {
      agent_id: agent.agent_id,
      executions: claimed.runs.map(({ fence }) => ({ flow_run_id: waiting.id, fence })),
    })
    // New work
    const made = (await ask(
      key,
      'POST',
      `/deployments/${deployment.id}/create_flow_run`,
      {},
    )) as FlowRun
    // Its end
    await ask(token, 'POST', `/flow_runs/${run.id}/set_state`, { state: { type: 'COMPLETED' } })
    await ask(key, 'POST', `/work_pools/${pool.name}/finish`, {
      agent_id: agent.agent_id,
      executions: executions.map((execution) => ({ ...execution, exit_code: 0 })),
    })
    await ask(key, 'GET', `/flow_runs/${run.id}`)
    expect(Object.entries(seen).filter(([, status]) => status >= 300)).toEqual([])

    setD1Faults({})
    for (const object of [home, stream, asStub(homeStub(workspace, homeKeyOf(child.id)))]) {
      await settle(object)
    }
    const stored = await Promise.all(
      [run, child, waiting, made].map(({ id }) => findFlowRun(workspace, id, Date.now() * 1000)),
    )
    expect(stored.map((row) => row?.state_type)).toEqual([
      'COMPLETED',
      'COMPLETED',
      'PENDING',
      'SCHEDULED',
    ])
    expect((await client.readFlowRun(run.id)).state_type).toBe('COMPLETED')
  })
})

it('what only D1 knows is a 503 that says when to come again, never a 404', async () => {
  const { key, flow } = await aLiveRun()
  goAway({ fail: 1 })
  const unknown = crypto.randomUUID()
  for (const [method, path, body] of [
    ['POST', '/flow_runs/filter', {}],
    ['POST', '/flow_runs/count', {}],
    ['GET', `/task_runs/${unknown}`, undefined],
    ['GET', `/flows/${unknown}`, undefined],
    ['GET', `/deployments/${unknown}`, undefined],
    ['POST', `/deployments/${unknown}/create_flow_run`, {}],
    ['POST', '/flow_runs/', { flow_id: flow.id, idempotency_key: 'k' }],
    ['POST', '/flows/', { name: 'never seen' }],
  ] as const) {
    const response = await fetchWorker(`${API_URL}${path}`, {
      method,
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    expect([path, response.status]).toEqual([path, 503])
    expect(Number(response.headers.get('Retry-After'))).toBeGreaterThan(0)
  }
})

it('lists say how old they are', async () => {
  const { client, key, deployment, home } = await aLiveRun()
  const age = async () => {
    // What was heard of it is forgotten after seconds.
    vi.setSystemTime(Date.now() + 6000)
    const response = await fetchWorker(`${API_URL}/flow_runs/filter`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
    })
    expect(response.status).toBe(200)
    return response.headers.get('Headgate-Data-Age')
  }
  expect(await age()).toBe('0')
  setD1Faults({ full: 1 })
  await client.createFlowRunFromDeployment(deployment.id)
  vi.setSystemTime(Date.now() + 20_000)
  await settle(home)
  expect(Number(await age())).toBeGreaterThan(20)
  setD1Faults({})
  await settle(home)
  expect(await age()).toBe('0')
})

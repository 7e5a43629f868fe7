import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Client } from '#core/client.ts'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import { signRunToken } from '../../worker/operations/run-token.ts'
import { call } from '../support/call.ts'
import { anEvent } from '../support/events.ts'
import { eventually } from '../support/eventually.ts'
import { aTaskRunEvent } from '../support/task-run-events.ts'
import { openSocket } from '../support/test-socket.ts'
import { aWorkspace, bindings, clientOf, type TestWorkspace } from '../support/workspace.ts'

const NOBODY = '01890000-0000-7000-8000-000000000000'

/** A run that an agent executes, with what its code and its agent hold. */
async function anExecution(given: TestWorkspace) {
  const { client } = given
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const flow = await client.createFlow({ name: `flow ${crypto.randomUUID()}` })
  const deployment = await client.createDeployment({
    name: 'one',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
  })
  const run = await client.createFlowRunFromDeployment(deployment.id)
  return { flow, deployment, ...(await start(client, pool.name)), run }
}

/** Claims the one run that waits, and begins it. */
async function start(client: Client, pool: string) {
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const { runs } = await client.claim(pool, { agent, limit: 1 })
  const token = runs[0]?.run_token ?? ''
  const execution = { flow_run_id: runs[0]?.flow_run.id ?? '', fence: runs[0]?.fence ?? 0 }
  await client.accept(pool, { agent_id: agent.agent_id, executions: [execution] })
  const inside = clientOf(token)
  await inside.setFlowRunState(execution.flow_run_id, { type: 'RUNNING' })
  const finish = async () =>
    await client.finish(pool, {
      agent_id: agent.agent_id,
      executions: [{ ...execution, exit_code: 0 }],
    })
  return { pool, token, inside, execution, finish }
}

/** Everything that writes of a flow run by its id, or of what is its. */
async function attempts(token: string, flowRunId: string, taskRunId: string, artifactId: string) {
  const state = { state: { type: 'FAILED' } }
  const line = { name: 'n', level: 20, message: 'm', timestamp: '2026-01-01T00:00:00Z' }
  const input = { key: `k${crypto.randomUUID()}`, value: '1' }
  const task = { task_key: 't', dynamic_key: crypto.randomUUID() }
  const told = (event: string) =>
    anEvent({ event, resource: { 'prefect.resource.id': `prefect.flow-run.${flowRunId}` } })
  const calls: [string, string, unknown][] = [
    ['PATCH', `/flow_runs/${flowRunId}`, { name: 'other' }],
    ['PATCH', `/flow_runs/${flowRunId}/labels`, { a: 'b' }],
    ['POST', `/flow_runs/${flowRunId}/set_state`, state],
    ['POST', `/flow_runs/${flowRunId}/resume`, {}],
    ['POST', `/flow_runs/${flowRunId}/input`, input],
    ['DELETE', `/flow_runs/${flowRunId}/input/${input.key}`, undefined],
    ['POST', '/task_runs/', { ...task, flow_run_id: flowRunId }],
    ['PATCH', `/task_runs/${taskRunId}`, { name: 'other' }],
    ['POST', `/task_runs/${taskRunId}/set_state`, state],
    ['POST', '/logs/', [{ ...line, flow_run_id: flowRunId }]],
    ['POST', '/events', [told('prefect.flow-run.Completed')]],
    [
      'POST',
      '/events',
      [aTaskRunEvent({ taskRunId, flowRunId, type: 'FAILED', at: Date.now() * 1000 })],
    ],
    ['POST', '/artifacts/', { flow_run_id: flowRunId, data: 1 }],
    ['PATCH', `/artifacts/${artifactId}`, { data: 2 }],
  ]
  const answers: { call: string; status: number; body: unknown }[] = []
  for (const [method, path, body] of calls) {
    // oxlint-disable-next-line no-await-in-loop -- in this order
    const answer = await call(token, method, path, body)
    const shown = path
      .replace(flowRunId, 'RUN')
      .replace(taskRunId, 'TASK')
      .replace(input.key, 'KEY')
    answers.push({ call: `${method} ${shown.replace(artifactId, 'ARTIFACT')}`, ...answer })
  }
  return answers
}

async function withParts(client: Client, flowRunId: string) {
  const task = await client.createTaskRun({
    flow_run_id: flowRunId,
    task_key: 'work',
    dynamic_key: '0',
    state: { type: 'RUNNING' },
  })
  const artifact = await client.createArtifact({ data: 1, flow_run_id: flowRunId })
  return [task.id, artifact.id] as const
}

test('a run writes of itself and of what came of it', async () => {
  const given = await aWorkspace()
  const { run, token, inside, flow, deployment } = await anExecution(given)
  const child = await inside.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
  const tracking = await inside.createTaskRun({
    flow_run_id: child.id,
    task_key: 'sub',
    dynamic_key: '0',
  })
  const grandchild = await inside.createFlowRunFromDeployment(deployment.id, {
    parent_task_run_id: tracking.id,
  })
  // One that somebody with a key made for its code.
  const adopted = await given.client.createFlowRun({
    flow_id: flow.id,
    parent_task_run_id: tracking.id,
    state: { type: 'RUNNING' },
  })
  for (const { id } of [child, grandchild, adopted, run]) {
    // oxlint-disable-next-line no-await-in-loop -- the run itself last, since that ends it
    const answers = await attempts(token, id, ...(await withParts(inside, id)))
    expect(answers.filter(({ status }) => status >= 300)).toEqual([])
  }
})

test('any other run of the workspace is to it as one that does not exist', async () => {
  const given = await aWorkspace()
  const { client } = given
  const { token, flow, run } = await anExecution(given)
  const other = await client.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
  const parts = await withParts(client, other.id)
  const before = await client.readFlowRun(other.id)
  const foreign = await attempts(token, other.id, ...parts)
  const unknown = await attempts(token, NOBODY, crypto.randomUUID(), crypto.randomUUID())
  expect(foreign).toEqual(unknown)
  expect(new Set(foreign.map(({ status }) => status))).toEqual(new Set([404]))
  const tracking = { flow_id: flow.id, parent_task_run_id: parts[0] }
  expect((await call(token, 'POST', '/flow_runs/', tracking)).status).toBe(404)

  expect(await client.readFlowRun(other.id)).toMatchObject({ ...before, ...ESTIMATES })
  expect((await client.readTaskRun(parts[0])).state_type).toBe('RUNNING')
  expect(await client.filterLogs({ logs: { flow_run_id: { any_: [other.id] } } })).toEqual([])
  // It sees them all the same, alone and in lists.
  expect((await clientOf(token).readFlowRun(other.id)).id).toBe(other.id)
  const seen = (await clientOf(token).filterFlowRuns()).map(({ id }) => id)
  expect(seen.toSorted()).toEqual([run.id, other.id].toSorted())
})

const ESTIMATES = {
  estimated_run_time: expect.any(Number),
  estimated_start_time_delta: expect.any(Number),
}

test('a child writes nothing of the run that it came of, but answers it', async () => {
  const given = await aWorkspace()
  const { client } = given
  const parent = await anExecution(given)
  const made = await parent.inside.createFlowRunFromDeployment(parent.deployment.id)
  const child = await start(client, parent.pool)
  expect(child.execution.flow_run_id).toBe(made.id)
  const parts = await withParts(parent.inside, parent.run.id)
  const answers = await attempts(child.token, parent.run.id, ...parts)
  expect(answers.filter(({ status }) => status !== 404)).toEqual([
    { call: 'POST /flow_runs/RUN/input', status: 201, body: null },
  ])
  await parent.inside.createFlowRunInput(made.id, { key: 'question', value: '1' })
  expect((await client.readFlowRun(parent.run.id)).state_type).toBe('RUNNING')
})

test('no event of a run tells of another: such are passed over, others go through', async () => {
  const given = await aWorkspace()
  const { client } = given
  const { token, run, flow } = await anExecution(given)
  const other = await client.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
  const [taskRunId] = await withParts(client, other.id)
  const now = Date.now() * 1000
  const of = (id: string) => ({ 'prefect.resource.id': `prefect.flow-run.${id}` })
  const forged = [
    anEvent({ event: 'prefect.flow-run.Completed', resource: of(other.id) }),
    anEvent({ event: 'prefect.flow-run.Completed', resource: of(NOBODY) }),
    anEvent({
      event: 'prefect.flow-run.Completed',
      resource: of(run.id),
      related: [{ ...of(other.id), 'prefect.resource.role': 'flow-run' }],
    }),
    aTaskRunEvent({ taskRunId, flowRunId: other.id, type: 'FAILED', at: now }),
    aTaskRunEvent({ taskRunId, flowRunId: null, type: 'FAILED', at: now }),
    // Its own run, but the task run of another.
    aTaskRunEvent({ taskRunId, flowRunId: run.id, type: 'FAILED', at: now }),
  ]
  const own = [
    anEvent({ event: 'prefect.flow-run.heartbeat', resource: of(run.id) }),
    anEvent({ event: 'order.shipped', resource: of(other.id) }),
  ]
  const socket = await openSocket('/events/in')
  socket.send({ type: 'auth', token })
  await socket.until('auth_success')
  for (const event of [...forged, ...own]) {
    socket.send(event)
  }
  await socket.close()
  const kept = async () => {
    const occurred = { since: formatTimestamp(now - 60_000_000) }
    const { events } = await client.filterEvents({ filter: { occurred }, limit: 200 })
    return new Set(events.map(({ id }) => id))
  }
  await eventually(async () => (await kept()).has(own[1]?.id ?? ''))
  const ids = await kept()
  expect(own.every(({ id }) => ids.has(id))).toBe(true)
  expect(forged.slice(0, 5).some(({ id }) => ids.has(id))).toBe(false)
  expect((await client.readTaskRun(taskRunId)).state_type).toBe('RUNNING')
})

test('a task run stays with its flow run, whoever reports it of another', async () => {
  const { client } = await aWorkspace()
  const flow = await client.createFlow({ name: 'one' })
  const make = async () =>
    await client.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
  // Some of them share a stream with the first, some don't.
  const [first, ...others] = [await make(), await make(), await make(), await make(), await make()]
  const [taskRunId] = await withParts(client, first?.id ?? '')
  const at = Date.now() * 1000
  const task_key = 'mine'
  await client.createEvents(
    others.flatMap(({ id }) => [
      aTaskRunEvent({ taskRunId, flowRunId: id, type: 'FAILED', at, taskRun: { task_key } }),
      aTaskRunEvent({ taskRunId: crypto.randomUUID(), flowRunId: id, type: 'FAILED', at }),
    ]),
  )
  const ofOthers = { flow_runs: { id: { any_: others.map(({ id }) => id) } } }
  await eventually(async () => (await client.filterTaskRuns(ofOthers)).length === others.length)
  const shown = await client.filterTaskRuns({ task_runs: { id: { any_: [taskRunId] } } })
  expect(shown).toMatchObject([{ flow_run_id: first?.id, state_type: 'RUNNING' }])
})

describe('a token', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('serves as long as its execution, and ten minutes more', async () => {
    const given = await aWorkspace()
    const [ended, live] = [await anExecution(given), await anExecution(given)]
    const status = async ({ token, run }: typeof ended) =>
      (await call(token, 'GET', `/flow_runs/${run.id}`)).status
    const pass = (minutes: number) => vi.setSystemTime(Date.now() + minutes * 60_000)
    pass(30)
    expect([await status(ended), await status(live)]).toEqual([200, 200])
    await ended.finish()
    pass(9)
    expect([await status(ended), await status(live)]).toEqual([200, 200])
    pass(2)
    expect([await status(ended), await status(live)]).toEqual([401, 200])
  })

  test('of an execution that never was serves nobody', async () => {
    const given = await aWorkspace()
    const { run, execution } = await anExecution(given)
    const now = Math.floor(Date.now() / 1000)
    const token = await signRunToken(bindings.HEADGATE_SECRET, {
      workspace_id: given.workspace.id,
      flow_run_id: run.id,
      home_key: homeKeyOf(run.id),
      fence: execution.fence + 1,
      issued: now - 3600,
      expires: now + 3600,
    })
    expect((await call(token, 'GET', `/flow_runs/${run.id}`)).status).toBe(401)
  })
})

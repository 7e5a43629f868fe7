import { runDurableObjectAlarm } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { StateCreate, StateType } from '#core/wire/state.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { call, faults } from '../support/call.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, clientOf, type TestWorkspace } from '../support/workspace.ts'

const NOBODY = '00000000-0000-4000-8000-000000000000'

let test: TestWorkspace
let flowId: string
let pool: string
beforeAll(async () => {
  test = await aWorkspace()
  flowId = (await test.client.createFlow({ name: 'flow' })).id
  pool = (await test.client.createWorkPool({ name: 'pool', type: 'process' })).name
})

const ask = async (method: string, path: string, body?: unknown) =>
  await call(test.key, method, path, body)
const create = async (body: object = {}) =>
  await ask('POST', '/flow_runs/', { flow_id: flowId, ...body })
const runOf = async (deploymentId: string, body: object = {}) =>
  await ask('POST', `/deployments/${deploymentId}/create_flow_run`, body)
const setState = async (id: string, state: object, force = false) =>
  await ask('POST', `/flow_runs/${id}/set_state`, { state, force })
const aRun = async (state?: StateCreate) =>
  await test.client.createFlowRun({ flow_id: flowId, ...(state ? { state } : {}) })
const detail = (body: unknown) => (body as { detail?: unknown }).detail

let deployments = 0
async function aDeployment(given: object = {}) {
  return await test.client.createDeployment({
    name: `deployment ${(deployments += 1)}`,
    flow_id: flowId,
    enforce_parameter_schema: false,
    ...given,
  })
}

/** The run's home does what its alarm is for, so that what is over leaves it. */
const letHomeFlush = async (runId: string) =>
  await runDurableObjectAlarm(asStub(homeStub(test.workspace, homeKeyOf(runId))))

describe('POST /flow_runs/', () => {
  it.each<[string, () => object, object]>([
    ['nothing but a flow', () => ({}), { state_type: 'PENDING', state_name: 'Pending' }],
    [
      'a state',
      () => ({ state: { type: 'RUNNING', name: 'Mine', message: 'm' } }),
      { state_type: 'RUNNING', state_name: 'Mine', run_count: 1 },
    ],
    [
      'a pool',
      () => ({ work_pool_name: pool, state: { type: 'SCHEDULED' } }),
      { state_type: 'SCHEDULED', work_pool_name: 'pool', work_queue_name: 'default' },
    ],
    [
      'all that it may have',
      () => ({
        name: 'named',
        flow_version: 'v1',
        parameters: { a: [1, null] },
        context: { b: 2 },
        tags: ['x', 'y', 'x'],
        labels: { team: 'data' },
        empirical_policy: { retries: 2, retry_delay: 5 },
        job_variables: { c: 3 },
        parent_task_run_id: NOBODY,
      }),
      {
        name: 'named',
        flow_version: 'v1',
        parameters: { a: [1, null] },
        context: { b: 2 },
        tags: ['x', 'y'],
        labels: { team: 'data' },
        empirical_policy: { retries: 2, retry_delay: 5, retry_type: null },
        job_variables: { c: 3 },
        parent_task_run_id: NOBODY,
      },
    ],
  ])('%s', async (_name, body, expected) => {
    const { status, body: made } = await create(body())
    expect({ status, made }).toMatchObject({ status: 201, made: expected })
    const { id } = made as FlowRun
    expect(await test.client.readFlowRun(id)).toMatchObject(expected)
    expect(await test.client.filterFlowRuns({ flow_runs: { id: { any_: [id] } } })).toMatchObject([
      expected,
    ])
    expect(made).toMatchObject({ created_by: { type: 'API_KEY', display_value: 'tests' } })
  })

  it.each<[string, () => object, number, unknown]>([
    ['a flow that is missing', () => ({ flow_id: NOBODY }), 404, 'Flow not found'],
    [
      'a queue that is missing',
      () => ({ work_pool_name: pool, work_queue_name: 'none' }),
      404,
      "Work pool queue 'pool/none' not found.",
    ],
    [
      'a pool that is missing',
      () => ({ work_pool_name: 'none' }),
      404,
      'Work pool "none" not found.',
    ],
    ['no flow', () => ({ flow_id: undefined }), 422, [['body', 'flow_id']]],
    ['a flow that is no id', () => ({ flow_id: 'x' }), 422, [['body', 'flow_id']]],
    ['an unknown state', () => ({ state: { type: 'DONE' } }), 422, [['body', 'state', 'type']]],
    ['a state of no type', () => ({ state: {} }), 422, [['body', 'state', 'type']]],
    ['an unknown field', () => ({ flow: 'x' }), 422, [['body', 'flow']]],
    ['an empty key', () => ({ idempotency_key: '' }), 422, [['body', 'idempotency_key']]],
    [
      'parameters that are too large',
      () => ({ parameters: { a: 'x'.repeat(600_000) } }),
      422,
      [['body', 'parameters']],
    ],
    [
      'a context that is too large',
      () => ({ context: { a: 'x'.repeat(600_000) } }),
      422,
      [['body', 'context']],
    ],
    [
      "a state's data that are too large",
      () => ({ state: { type: 'COMPLETED', data: 'ä'.repeat(300_000) } }),
      422,
      [['body', 'state', 'data']],
    ],
  ])('refuses %s', async (_name, body, status, expected) => {
    const refused = await create(body())
    expect({
      status: refused.status,
      said: refused.status === 422 ? faults(refused.body) : detail(refused.body),
    }).toEqual({ status, said: expected })
  })

  it('answers a repeated key with its run, also when that is over and has left its home', async () => {
    const body = { idempotency_key: crypto.randomUUID(), parameters: { a: 1 } }
    const first = await create(body)
    const second = await create({ ...body, parameters: { a: 2 } })
    expect([first.status, second.status]).toEqual([201, 200])
    const { id } = first.body as FlowRun
    expect(second.body).toMatchObject({ id, parameters: { a: 1 } })

    await test.client.setFlowRunState(id, { type: 'COMPLETED' })
    await letHomeFlush(id)
    const third = await create(body)
    expect(third).toMatchObject({ status: 200, body: { id, state_type: 'COMPLETED' } })
    const other = (await test.client.createFlow({ name: 'other' })).id
    expect((await create({ ...body, flow_id: other })).status).toBe(201)
  })

  it('makes one run of a key that many ask for at once', async () => {
    const body = { idempotency_key: crypto.randomUUID() }
    const made = await Promise.all(Array.from({ length: 8 }, async () => await create(body)))
    expect(new Set(made.map(({ body: run }) => (run as FlowRun).id)).size).toBe(1)
    expect(made.filter(({ status }) => status === 201)).toHaveLength(1)
  })
})

describe('POST /deployments/{id}/create_flow_run', () => {
  it("lays the request over the deployment's defaults", async () => {
    const deployment = await aDeployment({
      work_pool_name: pool,
      parameters: { a: 1, b: 2 },
      tags: ['d'],
      version: 'v3',
    })
    const { status, body } = await runOf(deployment.id, {
      parameters: { b: 3 },
      tags: ['r', 'd'],
      work_queue_name: 'another',
    })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      deployment_id: deployment.id,
      deployment_version: 'v3',
      parameters: { a: 1, b: 3 },
      tags: ['d', 'r'],
      work_queue_name: 'another',
      work_pool_name: pool,
      state_type: 'SCHEDULED',
      labels: { 'prefect.flow.id': flowId, 'prefect.deployment.id': deployment.id },
      auto_scheduled: false,
    })
    const queues = await test.client.filterWorkQueues(pool)
    expect(queues.map(({ name }) => name)).toContain('another')
  })

  it('refuses parameters that do not fit the schema, and names the field', async () => {
    const deployment = await aDeployment({
      enforce_parameter_schema: true,
      parameter_openapi_schema: {
        type: 'object',
        properties: { day: { type: 'integer' } },
        required: ['day'],
      },
    })
    const wrong = await runOf(deployment.id, { parameters: { day: 'x' } })
    expect(wrong.status).toBe(409)
    expect(JSON.stringify(wrong.body)).toContain('day')
    expect((await runOf(deployment.id)).status).toBe(409)
    expect((await runOf(deployment.id, { parameters: { day: 1 } })).status).toBe(201)
    const unenforced = { parameters: { day: 'x' }, enforce_parameter_schema: false }
    expect((await runOf(deployment.id, unenforced)).status).toBe(201)
  })

  it('keeps the limit of a deployment without a pool', async () => {
    const deployment = await aDeployment({ concurrency_limit: 1 })
    const [one, two] = [await runOf(deployment.id), await runOf(deployment.id)].map(
      ({ body }) => body as FlowRun,
    )
    const propose = async (run: FlowRun | undefined, type: StateType) =>
      await test.client.setFlowRunState(run?.id ?? '', { type })
    expect(await propose(one, 'PENDING')).toMatchObject({ status: 'ACCEPT' })
    expect(await propose(two, 'PENDING')).toMatchObject({
      status: 'REJECT',
      state: { type: 'SCHEDULED', name: 'AwaitingConcurrencySlot' },
    })
    await propose(one, 'RUNNING')
    await propose(one, 'COMPLETED')
    expect(await propose(two, 'PENDING')).toMatchObject({ status: 'ACCEPT' })
  })

  it('refuses job variables that the pool does not know what to do with', async () => {
    const strict = await test.client.createWorkPool({
      name: 'strict',
      type: 'process',
      base_job_template: {
        job_configuration: { memory: '{{ memory }}' },
        variables: {
          type: 'object',
          properties: { memory: { type: 'integer' } },
          required: ['memory'],
        },
      },
    })
    const deployment = await aDeployment({
      work_pool_name: strict.name,
      job_variables: { memory: 1 },
    })
    const wrong = await runOf(deployment.id, { job_variables: { memory: 'much' } })
    expect(wrong.status).toBe(422)
    expect(JSON.stringify(wrong.body)).toContain('memory')
    const right = await runOf(deployment.id, { job_variables: { memory: 2 } })
    expect(right.status).toBe(201)
    const change = async (memory: unknown) =>
      await ask('PATCH', `/flow_runs/${(right.body as FlowRun).id}`, { job_variables: { memory } })
    expect((await change('more')).status).toBe(422)
    expect((await change(3)).status).toBe(204)
  })

  it.each<[string, () => Promise<string>, object, number]>([
    ['a deployment that is missing', async () => NOBODY, {}, 404],
    ['a queue without a pool', async () => (await aDeployment()).id, { work_queue_name: 'q' }, 400],
    [
      'parameters that are too large',
      async () => (await aDeployment()).id,
      { parameters: { a: 'x'.repeat(600_000) } },
      422,
    ],
    ['an unknown field', async () => (await aDeployment()).id, { flow_id: NOBODY }, 422],
  ])('refuses %s', async (_name, id, body, status) => {
    expect((await runOf(await id(), body)).status).toBe(status)
  })

  it('answers a repeated key with its run after the deployment has moved to another pool', async () => {
    const deployment = await aDeployment({ work_pool_name: pool })
    const body = { idempotency_key: crypto.randomUUID() }
    const first = await runOf(deployment.id, body)
    await test.client.createWorkPool({ name: 'moved to', type: 'process' })
    await test.client.updateDeployment(deployment.id, { work_pool_name: 'moved to' })
    const second = await runOf(deployment.id, body)
    expect(second).toMatchObject({ status: 200, body: { id: (first.body as FlowRun).id } })
  })
})

describe('PATCH /flow_runs/{id}', () => {
  it('changes what it names and nothing else', async () => {
    const run = await aRun()
    const path = `/flow_runs/${run.id}`
    expect(await ask('PATCH', path, { name: 'new', tags: ['t'], infrastructure_pid: '7' })).toEqual(
      { status: 204, body: undefined },
    )
    expect((await ask('PATCH', path, { empirical_policy: { retries: 3 } })).status).toBe(204)
    expect(await test.client.readFlowRun(run.id)).toMatchObject({
      name: 'new',
      tags: ['t'],
      infrastructure_pid: '7',
      parameters: run.parameters,
      empirical_policy: { ...run.empirical_policy, retries: 3 },
      state_id: run.state_id,
    })
    const listed = await test.client.filterFlowRuns({ flow_runs: { id: { any_: [run.id] } } })
    expect(listed).toMatchObject([{ name: 'new', tags: ['t'] }])
  })

  it.each<[string, object, number]>([
    ['nothing', {}, 204],
    ['an empty name', { name: '' }, 422],
    ['an unknown field', { state: {} }, 422],
    ['job variables of a run that waits nowhere', { job_variables: { a: 1 } }, 400],
  ])('%s', async (_name, body, status) => {
    expect((await ask('PATCH', `/flow_runs/${(await aRun()).id}`, body)).status).toBe(status)
  })

  it('changes job variables of a run that waits, until it is taken', async () => {
    const run = await test.client.createFlowRun({
      flow_id: flowId,
      work_pool_name: pool,
      state: { type: 'SCHEDULED' },
    })
    const change = async () =>
      (await ask('PATCH', `/flow_runs/${run.id}`, { job_variables: { a: 1 } })).status
    expect(await change()).toBe(204)
    await test.client.setFlowRunState(run.id, { type: 'PENDING' })
    expect(await change()).toBe(400)
  })

  it('adds labels', async () => {
    const run = await aRun()
    const path = `/flow_runs/${run.id}/labels`
    expect((await ask('PATCH', path, { a: 1, b: 'x' })).status).toBe(204)
    expect((await ask('PATCH', path, { b: 'y', c: true })).status).toBe(204)
    const { labels } = await test.client.readFlowRun(run.id)
    expect(labels).toEqual({ ...run.labels, a: 1, b: 'y', c: true })
    expect((await ask('PATCH', path, { d: {} })).status).toBe(422)
  })
})

describe('DELETE /flow_runs/{id}', () => {
  it('is final, whatever is flushed after it', async () => {
    const key = crypto.randomUUID()
    const run = (await create({ idempotency_key: key })).body as FlowRun
    const stateId = run.state_id ?? ''
    expect((await ask('DELETE', `/flow_runs/${run.id}`)).status).toBe(204)
    const gone = async () => {
      for (const [method, path, body] of [
        ['GET', `/flow_runs/${run.id}`],
        ['DELETE', `/flow_runs/${run.id}`],
        ['PATCH', `/flow_runs/${run.id}`, {}],
        ['PATCH', `/flow_runs/${run.id}/labels`, {}],
        ['POST', `/flow_runs/${run.id}/set_state`, { state: { type: 'RUNNING' } }],
        ['POST', `/flow_runs/${run.id}/resume`],
        ['GET', `/flow_run_states/${stateId}`],
      ] as const) {
        expect((await ask(method, path, body)).status, `${method} ${path}`).toBe(404)
      }
      expect(await test.client.readFlowRunStates(run.id)).toEqual([])
      const listed = await test.client.filterFlowRuns({ flow_runs: { id: { any_: [run.id] } } })
      expect(listed).toEqual([])
    }
    await gone()
    await letHomeFlush(run.id)
    await gone()
    const again = await create({ idempotency_key: key })
    expect(again.status).toBe(201)
    expect((again.body as FlowRun).id).not.toBe(run.id)
  })

  it('deletes a run that has left its home', async () => {
    const run = await aRun({ type: 'COMPLETED' })
    await letHomeFlush(run.id)
    expect((await ask('DELETE', `/flow_runs/${run.id}`)).status).toBe(204)
    expect((await ask('GET', `/flow_runs/${run.id}`)).status).toBe(404)
  })
})

describe('POST /flow_runs/{id}/set_state', () => {
  it.each<[string, StateCreate, object, boolean, number, object]>([
    // from, to, force, status, answer
    [
      'ACCEPT',
      { type: 'PENDING' },
      { type: 'RUNNING' },
      false,
      201,
      { state: { type: 'RUNNING' } },
    ],
    [
      'REJECT for another state',
      { type: 'SCHEDULED' },
      { type: 'CANCELLING' },
      false,
      201,
      { state: { type: 'CANCELLED' } },
    ],
    ['REJECT', { type: 'PENDING' }, { type: 'PAUSED' }, false, 200, { state: { type: 'PENDING' } }],
    [
      'ABORT',
      { type: 'RUNNING' },
      { type: 'PENDING' },
      false,
      200,
      { state: { type: 'RUNNING' }, details: { type: 'abort_details' } },
    ],
    [
      'ACCEPT',
      { type: 'COMPLETED' },
      { type: 'PENDING' },
      true,
      201,
      { state: { type: 'PENDING' } },
    ],
    [
      'WAIT',
      { type: 'SCHEDULED', state_details: { scheduled_time: '2100-01-01T00:00:00Z' } },
      { type: 'RUNNING' },
      false,
      200,
      { state: { type: 'SCHEDULED' }, details: { type: 'wait_details' } },
    ],
  ])('%s: %j to %j, force %s', async (kind, from, to, force, status, expected) => {
    const run = await aRun(from)
    const answer = await setState(run.id, to, force)
    expect(answer).toMatchObject({ status, body: { status: kind.split(' ')[0], ...expected } })
    const { state } = answer.body as { state: object }
    expect((await test.client.readFlowRun(run.id)).state).toEqual(state)
    const states = await test.client.readFlowRunStates(run.id)
    expect(states).toHaveLength(status === 201 ? 2 : 1)
    expect(states.at(-1)).toEqual(state)
  })

  it.each<[string, unknown, unknown]>([
    ['a type that is none', { state: { type: 'DONE' } }, [['body', 'state', 'type']]],
    ['no state', {}, [['body', 'state']]],
    ['an unknown field', { state: { type: 'RUNNING' }, now: 1 }, [['body', 'now']]],
    [
      'a time that is none',
      { state: { type: 'SCHEDULED', state_details: { scheduled_time: 'soon' } } },
      [['body', 'state', 'state_details', 'scheduled_time']],
    ],
  ])('refuses %s', async (_name, body, expected) => {
    const run = await aRun()
    const refused = await ask('POST', `/flow_runs/${run.id}/set_state`, body)
    expect([refused.status, faults(refused.body)]).toEqual([422, expected])
  })

  it('keeps a transition that is repeated to one', async () => {
    const run = await aRun()
    const state = { type: 'RUNNING', state_details: { transition_id: crypto.randomUUID() } }
    const first = await setState(run.id, state)
    const second = await setState(run.id, state)
    expect([first.status, second.status]).toEqual([201, 200])
    expect(second.body).toMatchObject({
      status: 'REJECT',
      details: { reason: 'This run has already made this state transition.' },
    })
    expect((await test.client.readFlowRun(run.id)).run_count).toBe(1)
  })

  it('brings a run back that had left its home', async () => {
    const deployment = await aDeployment({ work_pool_name: pool })
    const run = await test.client.createFlowRunFromDeployment(deployment.id)
    await test.client.setFlowRunState(run.id, { type: 'FAILED' })
    await letHomeFlush(run.id)
    expect((await setState(run.id, { type: 'SCHEDULED' })).status).toBe(201)
    expect(await test.client.readFlowRun(run.id)).toMatchObject({
      state_type: 'SCHEDULED',
      end_time: null,
      work_queue_name: 'default',
    })
    expect(await test.client.readFlowRunStates(run.id)).toHaveLength(3)
  })
})

describe('POST /flow_runs/{id}/resume', () => {
  const pausedBy = { pause_key: '1', pause_timeout: '2100-01-01T00:00:00Z' }

  it('lets a run go on in its process', async () => {
    const run = await aRun({ type: 'RUNNING' })
    await test.client.setFlowRunState(run.id, { type: 'PAUSED', state_details: pausedBy })
    const resumed = await ask('POST', `/flow_runs/${run.id}/resume`)
    expect(resumed).toMatchObject({
      status: 201,
      body: { status: 'ACCEPT', state: { type: 'RUNNING' } },
    })
    expect((await test.client.readFlowRun(run.id)).run_count).toBe(1)
  })

  it('schedules a run that was suspended', async () => {
    const deployment = await aDeployment({ work_pool_name: pool })
    const run = await test.client.createFlowRunFromDeployment(deployment.id)
    await test.client.setFlowRunState(run.id, { type: 'RUNNING' })
    await test.client.setFlowRunState(run.id, {
      type: 'PAUSED',
      name: 'Suspended',
      state_details: { ...pausedBy, pause_reschedule: true },
    })
    const resumed = await ask('POST', `/flow_runs/${run.id}/resume`, { run_input: null })
    expect(resumed).toMatchObject({
      status: 201,
      body: { state: { type: 'SCHEDULED', name: 'Resuming' } },
    })
  })

  it('does nothing to a run that goes on', async () => {
    const run = await aRun({ type: 'RUNNING' })
    expect(await ask('POST', `/flow_runs/${run.id}/resume`)).toMatchObject({
      status: 200,
      body: { status: 'ABORT' },
    })
  })
})

describe('the states of a run', () => {
  it('are listed oldest first and read by their ids, here and in the store', async () => {
    const run = await aRun()
    await test.client.setFlowRunState(run.id, { type: 'RUNNING' })
    await test.client.setFlowRunState(run.id, { type: 'COMPLETED', data: { a: 1 } })
    const here = await test.client.readFlowRunStates(run.id)
    expect(here.map(({ type }) => type)).toEqual(['PENDING', 'RUNNING', 'COMPLETED'])
    await letHomeFlush(run.id)
    expect(await test.client.readFlowRunStates(run.id)).toEqual(here)
    for (const state of here) {
      expect(await test.client.readFlowRunState(state.id)).toEqual(state)
    }
    expect((await ask('GET', `/flow_run_states/${run.id}`)).status).toBe(404)
    expect((await ask('GET', '/flow_run_states/')).status).toBe(422)
    expect(await test.client.readFlowRunStates(NOBODY)).toEqual([])
  })
})

describe("another workspace's runs", () => {
  it('are exactly as runs that never were', async () => {
    const run = await aRun({ type: 'PENDING' })
    const deployment = await aDeployment()
    const stranger = await aWorkspace()
    const strange = async (method: string, path: string, body?: unknown) =>
      await call(stranger.key, method, path, body)
    for (const [method, path, theirs, none, body] of [
      ['GET', '/flow_runs/ID', run.id, NOBODY],
      ['PATCH', '/flow_runs/ID', run.id, NOBODY, { name: 'x' }],
      ['PATCH', '/flow_runs/ID/labels', run.id, NOBODY, { a: 1 }],
      ['DELETE', '/flow_runs/ID', run.id, NOBODY],
      ['POST', '/flow_runs/ID/set_state', run.id, NOBODY, { state: { type: 'RUNNING' } }],
      ['POST', '/flow_runs/ID/resume', run.id, NOBODY],
      ['GET', '/flow_run_states/ID', run.state_id ?? '', NOBODY],
      ['GET', '/flow_run_states/?flow_run_id=ID', run.id, NOBODY],
      ['POST', '/deployments/ID/create_flow_run', deployment.id, NOBODY, {}],
    ] as const) {
      const foreign = await strange(method, path.replace('ID', theirs), body)
      const missing = await strange(method, path.replace('ID', none), body)
      expect(foreign, `${method} ${path}`).toEqual(missing)
      expect([200, 404]).toContain(foreign.status)
    }
    expect((await strange('POST', '/flow_runs/', { flow_id: flowId })).status).toBe(404)
    expect((await clientOf(test.key).readFlowRun(run.id)).state_type).toBe('PENDING')
  })
})

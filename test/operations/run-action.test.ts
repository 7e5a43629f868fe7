import { expect, test } from 'vitest'
import type { Action } from '#core/wire/automation-action.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import { runAction } from '../../worker/operations/run-action.ts'
import { anAutomation, aTriggeredAction } from '../support/automations.ts'
import { aReceivedEvent } from '../support/events.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

/** A workspace with one of each, and an event about all of them. */
async function aScene() {
  const { workspace, client } = await aWorkspace()
  const flow = await client.createFlow({ name: 'etl' })
  const pool = await client.createWorkPool({ name: 'pool', type: 'process' })
  const queue = await client.readWorkQueue('pool', 'default')
  const deployment = await client.createDeployment({
    name: 'it',
    flow_id: flow.id,
    work_pool_name: 'pool',
  })
  const run = await client.createFlowRun({
    flow_id: flow.id,
    deployment_id: deployment.id,
    name: 'run',
    state: { type: 'RUNNING', message: 'now' },
  })
  const automation = await client.createAutomation(anAutomation({ name: 'mine' }))
  const event = aReceivedEvent({
    event: 'it.happened',
    resource: { 'prefect.resource.id': `prefect.flow-run.${run.id}` },
    related: [
      [`prefect.flow.${flow.id}`, 'flow'],
      [`prefect.deployment.${deployment.id}`, 'deployment'],
      [`prefect.work-pool.${pool.id}`, 'work-pool'],
      [`prefect.work-queue.${queue.id}`, 'work-queue'],
      [`prefect.automation.${automation.id}`, 'automation'],
    ].map(([id = '', role = '']) => ({ 'prefect.resource.id': id, 'prefect.resource.role': role })),
  })
  const act = async (action: Action, id: string = crypto.randomUUID()) => {
    const now = Date.now() * 1000
    const triggered = aTriggeredAction(
      { id, automation, action, action_index: 2, triggering_event: event },
      now,
    )
    return await runAction(workspace, triggered, now)
  }
  return { workspace, client, deployment, run, automation, queue, act }
}

const inferred = { source: 'inferred' as const }
const shown = ({ state_type, state_name, state }: FlowRun) => ({
  state_type,
  state_name,
  message: state?.message,
})

test('pools, queues, deployments and automations of the event are paused and resumed', async () => {
  const { client, deployment, queue, automation, act } = await aScene()
  const read = async () => [
    (await client.readWorkPool('pool')).is_paused,
    (await client.readWorkQueue('pool', queue.name)).is_paused,
    (await client.readDeployment(deployment.id)).paused,
    !(await client.readAutomation(automation.id)).enabled,
  ]
  for (const verb of ['pause', 'resume'] as const) {
    const outcomes = [
      await act({ type: `${verb}-work-pool`, ...inferred, work_pool_id: null }),
      await act({ type: `${verb}-work-queue`, ...inferred, work_queue_id: null }),
      await act({ type: `${verb}-deployment`, ...inferred, deployment_id: null }),
      await act({ type: `${verb}-automation`, ...inferred, automation_id: null }),
    ]
    expect(outcomes.map(({ details }) => details)).toEqual([
      { status_code: 204 },
      { status_code: 204 },
      { status_code: 200 },
      { status_code: 204 },
    ])
    expect(outcomes[0]?.related).toEqual([
      expect.objectContaining({
        'prefect.resource.role': 'target',
        'prefect.resource.name': 'pool',
      }),
    ])
    expect(await read()).toEqual([true, true, true, true].map((one) => one === (verb === 'pause')))
  }
})

test('a deployment is run once, with parameters rendered from what the event is about', async () => {
  const { client, deployment, automation, act } = await aScene()
  const action: Action = {
    type: 'run-deployment',
    ...inferred,
    deployment_id: null,
    parameters: {
      text: '{{ flow_run.name }} of {{ flow.name }} by {{ automation.name }} in {{ work_pool.name }}',
      number: '{{ events | length }}',
      nested: [{ kind: { __prefect_kind: 'json', value: '[1, 2]' } }],
      plain: 'as it is',
    },
    job_variables: null,
    schedule_after: 3600,
  }
  const id = crypto.randomUUID()
  expect(await act(action, id)).toMatchObject({ details: { status_code: 201 } })
  expect(await act(action, id)).toMatchObject({ details: { status_code: 200 } })
  const runs = await client.filterFlowRuns({
    flow_runs: {
      deployment_id: { any_: [deployment.id] },
      state: { name: { any_: ['Scheduled'] } },
    },
  })
  expect(runs).toHaveLength(1)
  expect(runs[0]).toMatchObject({
    idempotency_key: `automation ${automation.id}, action 2, invocation ${id}`,
    created_by: { type: 'AUTOMATION', id: automation.id, display_value: 'mine' },
    parameters: {
      text: 'run of etl by mine in pool',
      number: 1,
      nested: [{ kind: [1, 2] }],
      plain: 'as it is',
    },
  })
  const due = Date.parse(runs[0]?.expected_start_time ?? '')
  expect(Math.abs(due - Date.now() - 3_600_000)).toBeLessThan(60_000)
})

test("the event's flow run is suspended, resumed, changed, cancelled and deleted", async () => {
  const { client, run, automation, act } = await aScene()
  const now = async () => shown(await client.readFlowRun(run.id))
  const set: [Action, object][] = [
    [
      { type: 'suspend-flow-run' },
      { state_name: 'Suspended', message: `Suspended by Automation ${automation.id}` },
    ],
    [{ type: 'resume-flow-run' }, { state_type: 'SCHEDULED', state_name: 'Resuming' }],
    [
      {
        type: 'change-flow-run-state',
        state: 'RUNNING',
        name: 'Going',
        message: null,
        force: true,
      },
      { state_name: 'Going', message: `State changed by Automation ${automation.id}` },
    ],
    [
      { type: 'cancel-flow-run' },
      { state_type: 'CANCELLING', message: `Cancelled by Automation ${automation.id}` },
    ],
  ]
  for (const [action, expected] of set) {
    expect(await act(action)).not.toHaveProperty('reason')
    expect(await now()).toMatchObject(expected)
  }
  expect(await act({ type: 'delete-flow-run' })).toMatchObject({ details: { status_code: 204 } })
  expect(await act({ type: 'cancel-flow-run' })).toMatchObject({
    reason: "Unexpected status from 'cancel-flow-run' action: 404",
    details: { status_code: 404 },
  })
})

test('a state that the rules refuse is a failure with their reason', async () => {
  const { act } = await aScene()
  expect(await act({ type: 'resume-flow-run' })).toMatchObject({
    reason: expect.stringMatching(/^Failed to resume flow run: /),
  })
})

test('a message needs a block of its kind, and tells of it', async () => {
  const { client, act } = await aScene()
  const webhook = await client.createBlockType({ name: 'Other', slug: 'other' })
  const schema = await client.createBlockSchema({ block_type_id: webhook.id })
  const block = await client.createBlockDocument({
    name: 'mine',
    block_type_id: webhook.id,
    block_schema_id: schema.id,
  })
  const call: Action = { type: 'call-webhook', block_document_id: NOWHERE, payload: '' }
  const tell: Action = {
    type: 'send-notification',
    block_document_id: NOWHERE,
    subject: '',
    body: '',
  }
  expect(await act(call)).toMatchObject({
    reason: "Unexpected status from 'call-webhook' action: 404",
  })
  expect(await act({ ...call, block_document_id: block.id })).toMatchObject({
    reason: 'The referenced block was not a webhook block',
  })
  expect(await act({ ...tell, block_document_id: block.id })).toMatchObject({
    reason: 'The referenced block was not a notification block',
  })
})

test('what fails to render is a failure that shows the template', async () => {
  const { client, act } = await aScene()
  const type = await client.createBlockType({ name: 'Note', slug: 'note' })
  const schema = await client.createBlockSchema({
    block_type_id: type.id,
    capabilities: ['notify'],
  })
  const block = await client.createBlockDocument({
    name: 'mine',
    block_type_id: type.id,
    block_schema_id: schema.id,
  })
  const outcome = await act({
    type: 'send-notification',
    block_document_id: block.id,
    subject: 'x',
    body: '{{ 1 / 0 }}',
  })
  expect(outcome).toMatchObject({
    reason: expect.stringMatching(/^Template rendering failed: /),
    details: { template_source: '{{ 1 / 0 }}' },
    related: [
      {
        'prefect.resource.id': `prefect.block-document.${block.id}`,
        'prefect.resource.role': 'block',
      },
      { 'prefect.resource.id': 'prefect.block-type.note' },
    ],
  })
})

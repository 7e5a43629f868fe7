import { expect, test } from 'vitest'
import type { JsonObject } from '#core/wire/common.ts'
import { anAutomation } from '../support/automations.ts'
import { aDeployment, aWorkPool, aWorkQueue } from '../support/builders.ts'
import { call } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

test('an automation is made with what Prefect fills in, and ids of its triggers that it chooses itself', async () => {
  const { client, key } = await aWorkspace()
  const { status, body } = await call(key, 'POST', '/automations/', {
    name: 'all of it',
    trigger: {
      type: 'compound',
      require: 'any',
      within: null,
      triggers: [
        { id: NOWHERE, posture: 'Proactive', expect: ['b', 'b'], within: 'PT1M', unknown: 1 },
        { type: 'sequence', triggers: [{ posture: 'Proactive' }], within: 1.5 },
      ],
    },
    actions: [
      { type: 'run-deployment', source: 'inferred', schedule_after: 'PT90S' },
      { type: 'change-flow-run-state', state: 'CANCELLED' },
    ],
  })
  expect(status).toBe(201)
  const id = expect.stringMatching(UUID)
  const event = { type: 'event', id, match: {}, match_related: {}, after: [], for_each: [] }
  expect(body).toEqual({
    id,
    created: expect.any(String),
    updated: expect.any(String),
    name: 'all of it',
    description: '',
    enabled: true,
    tags: [],
    trigger: {
      type: 'compound',
      id,
      require: 'any',
      within: null,
      triggers: [
        { ...event, expect: ['b'], posture: 'Proactive', threshold: 1, within: 60 },
        {
          type: 'sequence',
          id,
          within: 1.5,
          triggers: [{ ...event, expect: [], posture: 'Proactive', threshold: 1, within: 10 }],
        },
      ],
    },
    actions: [
      {
        type: 'run-deployment',
        source: 'inferred',
        deployment_id: null,
        parameters: null,
        job_variables: null,
        schedule_after: 90,
      },
      {
        type: 'change-flow-run-state',
        name: null,
        state: 'CANCELLED',
        message: null,
        force: false,
      },
    ],
    actions_on_trigger: [],
    actions_on_resolve: [],
  })
  const made = body as { id: string; trigger: { triggers: { id: string }[] } }
  expect(made.trigger.triggers[0]?.id).not.toBe(NOWHERE)
  expect(await client.readAutomation(made.id)).toEqual(body)
})

test('an automation is replaced, switched and deleted', async () => {
  const { client, key } = await aWorkspace()
  const made = await client.createAutomation(
    anAutomation({ description: 'kept', tags: ['kept'], enabled: false }),
  )
  const { trigger, actions } = anAutomation({ actions: [{ type: 'cancel-flow-run' }] })
  await client.updateAutomation(made.id, { name: 'new', trigger, actions })
  const replaced = await client.readAutomation(made.id)
  expect(replaced).toMatchObject({
    name: 'new',
    description: 'kept',
    tags: ['kept'],
    enabled: false,
    actions: [{ type: 'cancel-flow-run' }],
    created: made.created,
  })
  expect(replaced.trigger.id).not.toBe(made.trigger.id)
  await client.enableAutomation(made.id, true)
  const enabled = await client.readAutomation(made.id)
  expect(enabled).toMatchObject({ enabled: true, trigger: { id: replaced.trigger.id } })
  await client.enableAutomation(made.id, false)
  expect(await call(key, 'PATCH', `/automations/${made.id}`, {})).toMatchObject({ status: 204 })
  expect(await client.readAutomation(made.id)).toMatchObject({ enabled: false })
  await client.deleteAutomation(made.id)
  await expect(client.readAutomation(made.id)).rejects.toMatchObject({ status: 404 })
})

test('automations are listed and counted by filters', async () => {
  const { client } = await aWorkspace()
  const other = await aWorkspace()
  await other.client.createAutomation(anAutomation({ name: 'a' }))
  const [b, c, a] = [
    await client.createAutomation(anAutomation({ name: 'b', tags: ['x', 'y'] })),
    await client.createAutomation(anAutomation({ name: 'c', tags: ['x'] })),
    await client.createAutomation(anAutomation({ name: 'a' })),
  ]
  const names = async (body: Parameters<typeof client.filterAutomations>[0]) =>
    (await client.filterAutomations(body)).map(({ name }) => name)
  expect(await names({})).toEqual(['a', 'b', 'c'])
  expect(await names({ sort: 'NAME_DESC', limit: 1, offset: 1 })).toEqual(['b'])
  expect(await names({ sort: 'CREATED_DESC' })).toEqual(['a', 'c', 'b'])
  await client.enableAutomation(b.id, false)
  expect(await names({ sort: 'UPDATED_DESC', limit: 1 })).toEqual(['b'])
  expect(await names({ automations: { name: { any_: ['a', 'c'] } } })).toEqual(['a', 'c'])
  expect(await names({ automations: { id: { any_: [a.id] } } })).toEqual(['a'])
  expect(await names({ automations: { tags: { all_: ['x', 'y'] } } })).toEqual(['b'])
  expect(await names({ automations: { tags: { any_: ['y', 'z'] } } })).toEqual(['b'])
  expect(await names({ automations: { tags: { is_null_: true } } })).toEqual(['a'])
  expect(await names({ automations: { created: { before_: c.created } } })).toEqual(['b', 'c'])
  const either = { operator: 'or_' as const, name: { any_: ['a'] }, id: { any_: [b.id] } }
  expect(await names({ automations: either })).toEqual(['a', 'b'])
  expect(await client.countAutomations()).toBe(3)
  expect(await client.countAutomations({ automations: { name: { any_: ['a'] } } })).toBe(1)
})

test('a resource owns automations and is related to those that run it', async () => {
  const { client, workspace, key } = await aWorkspace()
  const deployment = await aDeployment(workspace)
  const resource = `prefect.deployment.${deployment.id}`
  const owned = await client.createAutomation(
    anAutomation({ name: 'owned', owner_resource: resource }),
  )
  const runs = await client.createAutomation(
    anAutomation({
      name: 'runs',
      actions: [{ type: 'run-deployment', deployment_id: deployment.id }],
    }),
  )
  await client.createAutomation(anAutomation())
  const related = await client.automationsRelatedTo(resource)
  expect(related.map(({ id }) => id).toSorted()).toEqual([owned.id, runs.id].toSorted())
  const deleted = await call(key, 'DELETE', `/automations/owned-by/${resource}`)
  expect(deleted).toEqual({ status: 202, body: null })
  expect(await client.automationsRelatedTo(resource)).toEqual([runs])
  expect(await client.countAutomations()).toBe(2)
})

test('an automation of another workspace is none', async () => {
  const { client } = await aWorkspace()
  const other = await aWorkspace()
  const { id, trigger } = await other.client.createAutomation(anAutomation())
  const missing = { status: 404, body: { exception_message: 'Automation not found' } }
  for (const one of [id, NOWHERE]) {
    await expect(client.readAutomation(one)).rejects.toMatchObject(missing)
    await expect(
      client.updateAutomation(one, { name: 'x', trigger, actions: [] }),
    ).rejects.toMatchObject(missing)
    await expect(client.enableAutomation(one, false)).rejects.toMatchObject(missing)
    await expect(client.deleteAutomation(one)).rejects.toMatchObject(missing)
    await expect(client.explainAutomation(one)).rejects.toMatchObject(missing)
  }
  expect(await other.client.readAutomation(id)).toMatchObject({ enabled: true })
})

const eventTrigger = { type: 'event', posture: 'Reactive' }
const proactive = { type: 'event', posture: 'Proactive' }

test.each<[string, Record<string, unknown>, (string | number)[]]>([
  ['an unknown field', { extra: 1 }, ['body', 'extra']],
  [
    'a metric trigger',
    { trigger: { type: 'metric', posture: 'Metric', metric: {} } },
    ['body', 'trigger'],
  ],
  ['a trigger without posture', { trigger: { type: 'event' } }, ['body', 'trigger']],
  [
    'a short window of silence',
    { trigger: { ...proactive, within: 9 } },
    ['body', 'trigger', 'within'],
  ],
  ['no window', { trigger: { ...eventTrigger, within: null } }, ['body', 'trigger']],
  [
    'a negative window',
    { trigger: { ...eventTrigger, within: -1 } },
    ['body', 'trigger', 'within'],
  ],
  [
    'a window that is no duration',
    { trigger: { ...eventTrigger, within: 'soon' } },
    ['body', 'trigger'],
  ],
  [
    'more parts than there are',
    { trigger: { type: 'compound', triggers: [eventTrigger], require: 2, within: null } },
    ['body', 'trigger', 'require'],
  ],
  ['an incident', { actions: [{ type: 'declare-incident' }] }, ['body', 'actions', 0, 'type']],
  [
    'a selected pool without id',
    { actions: [{ type: 'pause-work-pool' }] },
    ['body', 'actions', 0],
  ],
  [
    'an inferred queue with id',
    { actions: [{ type: 'pause-work-queue', source: 'inferred', work_queue_id: NOWHERE }] },
    ['body', 'actions', 0],
  ],
  [
    'a time before now',
    { actions: [{ type: 'run-deployment', deployment_id: NOWHERE, schedule_after: -5 }] },
    ['body', 'actions', 0, 'schedule_after'],
  ],
])('%s is refused', async (_what, given, loc) => {
  const { key, client } = await aWorkspace()
  const { status, body } = await call(key, 'POST', '/automations/', { ...anAutomation(), ...given })
  expect({ status, body }).toMatchObject({
    status: 422,
    body: { exception_message: 'Invalid request received.', exception_detail: [{ loc }] },
  })
  expect(await client.countAutomations()).toBe(0)
})

test('an automation whose runs would trigger it again is refused, unless it is disabled', async () => {
  const { client } = await aWorkspace()
  const trigger = {
    type: 'event' as const,
    posture: 'Reactive' as const,
    expect: ['prefect.flow-run.Running'],
    match: { 'prefect.resource.id': 'prefect.flow-run.*' },
  }
  const loop = anAutomation({ trigger, actions: [{ type: 'run-deployment', source: 'inferred' }] })
  await expect(client.createAutomation(loop)).rejects.toMatchObject({ status: 422 })
  const selected = anAutomation({
    trigger,
    actions: [{ type: 'run-deployment', deployment_id: NOWHERE }],
  })
  await expect(client.createAutomation(selected)).rejects.toMatchObject({ status: 422 })
  const match_related = { 'prefect.resource.name': 'other' }
  await client.createAutomation({ ...selected, trigger: { ...trigger, match_related } })
  const { id } = await client.createAutomation({ ...loop, enabled: false })
  await expect(client.enableAutomation(id, true)).rejects.toMatchObject({ status: 422 })
  const ended = { ...trigger, expect: ['prefect.flow-run.Failed'] }
  await client.createAutomation({ ...loop, trigger: ended })
})

const templates: [string, JsonObject, (string | number)[]][] = [
  [
    'a body',
    { type: 'send-notification', body: '{{ flow.name', block_document_id: NOWHERE },
    ['body'],
  ],
  [
    'a payload',
    { type: 'call-webhook', payload: '{% if %}', block_document_id: NOWHERE },
    ['payload'],
  ],
  [
    'a parameter',
    { type: 'run-deployment', source: 'inferred', parameters: { a: { b: ['{{ 1 +'] } } },
    ['parameters'],
  ],
]

test.each(templates)('%s that is no template is refused', async (_what, action, field) => {
  const { key } = await aWorkspace()
  const actions = [{ type: 'do-nothing' }, action]
  const { status, body } = await call(key, 'POST', '/automations/', { ...anAutomation(), actions })
  expect({ status, body }).toMatchObject({
    status: 422,
    body: { exception_detail: [{ loc: ['body', 'actions', 1, ...field] }] },
  })
})

test('job variables must fit the pool of the deployment', async () => {
  const { client, workspace } = await aWorkspace()
  const pool = await aWorkPool(workspace, {
    base_job_template: {
      variables: { type: 'object', properties: { cpu: { type: 'integer' } } },
      job_configuration: {},
    },
  })
  const queue = await aWorkQueue(workspace, { work_pool_id: pool.id })
  const deployment = await aDeployment(workspace, { work_queue_id: queue.id })
  const runs = (job_variables: { cpu: number | string }, deployment_id = deployment.id) =>
    anAutomation({ actions: [{ type: 'run-deployment', deployment_id, job_variables }] })
  await client.createAutomation(runs({ cpu: 1 }))
  await expect(client.createAutomation(runs({ cpu: 'many' }))).rejects.toMatchObject({
    status: 422,
    body: { detail: expect.stringMatching(/^Error creating automation: /) },
  })
  await expect(client.createAutomation(runs({ cpu: 1 }, NOWHERE))).rejects.toMatchObject({
    status: 404,
    body: { detail: 'Deployment not found.' },
  })
})

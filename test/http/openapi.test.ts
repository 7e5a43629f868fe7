import { beforeAll, describe, expect, test } from 'vitest'
import { call } from '../support/call.ts'
import { closed, document, routes, send, withBody, type Route } from '../support/routes.ts'
import { sampleOf } from '../support/sample-body.ts'
import type { Workspace } from '#storage/workspace.ts'
import { aWorkspace, API_URL, bindings, fetchWorker } from '../support/workspace.ts'
import { isOfHolder } from '../wall/operations.ts'

const components = document.components.schemas

describe('the document', () => {
  test('is OpenAPI 3.1 in which every reference leads to a component', () => {
    expect(document.openapi).toBe('3.1.0')
    const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)
    for (const [, reference] of references) {
      expect(reference).toMatch(/^#\/components\/schemas\//)
      expect(components).toHaveProperty(reference?.split('/').at(-1) ?? '')
    }
    expect(Object.keys(components).filter((name) => name.startsWith('__'))).toEqual([])
  })

  test('names every operation once and every parameter of its path', () => {
    const ids = routes.map((route) => route.operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, operation } of routes) {
      expect(
        operation.parameters
          .filter((parameter) => parameter.in === 'path')
          .map((parameter) => parameter.name),
      ).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
    }
  })

  test('is read by people without a word from elsewhere', async () => {
    const response = await fetchWorker(`${API_URL}/docs`)
    expect(response.headers.get('Content-Security-Policy')).toContain("default-src 'self'")
    const sources = (await response.text()).match(/(src|href)="[^"]*"/g)
    expect(sources).toEqual(['src="/reference/scalar.js"'])
  })
})

test('what is open is a short list', () => {
  expect(
    routes.filter((route) => route.operation.security.length === 0).map((route) => route.name),
  ).toEqual([
    'GET /health',
    'GET /ready',
    'GET /csrf-token',
    'GET /admin/version',
    'GET /version',
    'GET /hello',
    'GET /task_runs/subscriptions/scheduled',
    'GET /events/in',
    'GET /events/out',
    'GET /logs/out',
    'GET /feed',
    'POST /agents/enrol',
    // By an id that only who asked for it was told.
    'GET /deletions/{id}',
  ])
})

test.for(closed)('$name answers 401 without a key', async (route) => {
  const response = await send(route, {})
  expect(response.status).toBe(401)
  expect(await response.json()).toEqual({ exception_message: 'Unauthorized' })
})

/** Bodies whose keys are the user's own, and those that Prefect's server leaves open too. */
const OPEN_BODIES = new Set([
  // A text, which has no fields.
  'POST /templates/validate',
  'POST /automations/templates/validate',
  'PATCH /flow_runs/{id}/labels',
  'POST /events',
  'POST /task_workers/filter',
  'POST /v2/concurrency_limits/filter',
  'POST /v2/concurrency_limits/increment',
  'POST /v2/concurrency_limits/increment-with-lease',
  'POST /v2/concurrency_limits/leases/{lease_id}/renew',
  'POST /v2/concurrency_limits/decrement',
  'POST /v2/concurrency_limits/decrement-with-lease',
  'POST /concurrency_limits/filter',
  'POST /concurrency_limits/tag/{tag}/reset',
  'POST /concurrency_limits/increment',
  'POST /concurrency_limits/decrement',
])

describe('an unknown field', () => {
  let key = ''
  beforeAll(async () => {
    ;({ key } = await aWorkspace())
  })

  test.for(withBody.filter((route) => !OPEN_BODIES.has(route.name)))(
    'is refused by $name',
    async (route) => {
      const sample = sampleOf(route.body, components, {
        resource: { 'prefect.resource.id': 'x' },
      })
      const body = Array.isArray(sample)
        ? [{ ...(sample[0] as object), not_a_field: 1 }]
        : { ...(sample as object), not_a_field: 1 }
      const response = await send(route, {
        key,
        path: route.path
          .replaceAll(/\{(\w*id)\}/g, crypto.randomUUID())
          .replaceAll(/\{\w+\}/g, 'x'),
        body,
      })
      const answer: { exception_detail: { loc: string[] }[] } = await response.json()
      expect({ status: response.status, answer }).toMatchObject({
        status: 422,
        answer: {
          exception_message: 'Invalid request received.',
          exception_detail: [{ msg: 'Extra inputs are not permitted', type: 'extra_forbidden' }],
        },
      })
      expect(answer.exception_detail[0]?.loc.at(-1)).toBe('not_a_field')
    },
  )
})

/** The id of a person with a role in the workspace. */
async function aMember({ id: workspaceId }: Workspace): Promise<string> {
  const id = crypto.randomUUID()
  await bindings.DB.batch([
    bindings.DB.prepare(
      "INSERT INTO user (id, name, email, email_verified, created, updated) VALUES (?, 'Ada', ?, 1, 0, 0)",
    ).bind(id, `${id}@example.com`),
    bindings.DB.prepare(
      "INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created) VALUES (?, 'user', ?, 'owner', '')",
    ).bind(workspaceId, id),
  ])
  return id
}

/** The route's path with the values put in, and its body with them where it names things. */
function request(route: Route, values: Record<string, string>): { path: string; body?: unknown } {
  const parts = route.path.split('/')
  const path = parts
    .map((part, index) => {
      const kind = parts
        .slice(1, index + 1)
        .join('/')
        .replaceAll(/[{}]/g, '')
      return part.startsWith('{') ? (values[kind] ?? `no value for ${kind}`) : part
    })
    .join('/')
  const query = route.operation.parameters
    .filter((parameter) => parameter.in === 'query' && parameter.required)
    .map(({ name }) => `${name}=${values[name] ?? `no value for ${name}`}`)
  return {
    path: query.length === 0 ? path : `${path}?${query.join('&')}`,
    ...(route.body === undefined ? {} : { body: sampleOf(route.body, components, values) }),
  }
}

/** What is of people, a key has no part in. Lists of what is not there are empty; a body that names what is not there is refused as Prefect refuses it. */
const OTHERWISE: Record<string, number> = {
  'POST /v2/concurrency_limits/leases/{lease_id}/renew': 410,
  'POST /deployments/': 409,
  'GET /events/filter/next': 403,
  'POST /events/count-by/{countable}': 422,
  'GET /flow_run_states/': 200,
  'GET /automations/related-to/{resource_id}': 200,
  'DELETE /automations/owned-by/{resource_id}': 202,
  'POST /flow_runs/{id}/input/filter': 200,
  'GET /observed-states': 200,
  'GET /jobs': 200,
  'GET /usage': 200,
  'GET /audit/export': 200,
  'GET /workspace/export': 200,
  'GET /task_run_states/': 200,
  // It is no WebSocket that asks here.
  'GET /work_pools/{name}/doorbell': 400,
}

describe('what belongs to another workspace', () => {
  /** Of each kind of thing one that another workspace has, and one that never was. */
  let foreign: Record<string, string> = {}
  let nowhere: Record<string, string> = {}
  let key = ''
  let before: unknown
  let readAll: () => Promise<unknown>

  beforeAll(async () => {
    ;({ key } = await aWorkspace())
    const { client, workspace, key: foreignKey } = await aWorkspace()
    const flow = await client.createFlow({ name: 'foreign-flow' })
    const pool = await client.createWorkPool({ name: 'foreign-pool', type: 'process' })
    const queue = await client.createWorkQueue(pool.name, { name: 'foreign-queue' })
    await client.workerHeartbeat(pool.name, { name: 'foreign-worker' })
    const deployment = await client.createDeployment({
      name: 'foreign-deployment',
      flow_id: flow.id,
      work_pool_name: pool.name,
      schedules: [{ schedule: { cron: '0 0 1 1 *', timezone: 'UTC' }, active: false }],
    })
    // So far ahead that it does not become late meanwhile.
    const scheduled_time = '2999-01-01T00:00:00Z'
    const flowRun = await client.createFlowRunFromDeployment(deployment.id, {
      state: { type: 'SCHEDULED', state_details: { scheduled_time } },
    })
    const taskRun = await client.createTaskRun({
      flow_run_id: flowRun.id,
      task_key: 'task',
      dynamic_key: '0',
    })
    const blockType = await client.createBlockType({ name: 'foreign', slug: 'foreign-block' })
    const blockSchema = await client.createBlockSchema({ block_type_id: blockType.id })
    const blockDocument = await client.createBlockDocument({
      name: 'foreign-document',
      block_type_id: blockType.id,
      block_schema_id: blockSchema.id,
    })
    const tagLimit = await client.createConcurrencyLimit({ name: 'tag:foreign-tag', limit: 1 })
    const lease = await call(foreignKey, 'POST', '/v2/concurrency_limits/increment-with-lease', {
      names: [tagLimit.name],
      slots: 1,
    })
    const savedSearch = await client.saveSearch({ name: 'foreign-search' })
    const apiKey = await client.createApiKey({ name: 'foreign-key', kind: 'workspace' })
    const enrolment = await client.createEnrolment({ name: 'foreign', work_pools: [pool.name] })
    const account = await client.createServiceAccount({ name: 'foreign', role: 'viewer' })
    const invitation = await client.createInvitation({ email: 'a@example.com', role: 'viewer' })
    const person = await aMember(workspace)
    const variable = await client.createVariable({ name: 'foreign-variable', value: 1 })
    const artifact = await client.createArtifact({ key: 'foreign-artifact', data: 1 })
    const automation = await client.createAutomation({
      name: 'foreign-automation',
      owner_resource: 'foreign-resource',
      trigger: { type: 'event', posture: 'Reactive', expect: ['never'] },
      actions: [],
    })
    await client.createFlowRunInput(flowRun.id, { key: 'foreign-input', value: '1' })
    const diagnostics = await client.startDiagnostics()
    foreign = {
      'jobs/id': diagnostics.id,
      'diagnostics/id': diagnostics.id,
      'page-token': 'foreign-token',
      'events/count-by/countable': 'foreign-thing',
      'variables/id': variable.id,
      'variables/name/name': variable.name,
      'automations/id': automation.id,
      'automations/related-to/resource_id': 'foreign-resource',
      'automations/owned-by/resource_id': 'foreign-resource',
      'artifacts/id': artifact.id,
      'artifacts/key': 'foreign-artifact',
      'flow_runs/id/input/key': 'foreign-input',
      'ui/task_runs/id': taskRun.id,
      'saved_searches/id': savedSearch.id,
      'keys/id': apiKey.id,
      'enrolments/id': enrolment.id,
      'service_accounts/id': account.id,
      'members/id': person,
      'members/invitations/id': invitation.id,
      'me/invitations/id': invitation.id,
      'me/api_keys/id': crypto.randomUUID(),
      'me/workspaces/id': workspace.id,
      'me/accounts/id': workspace.account_id,
      'accounts/id': workspace.account_id,
      'accounts/id/members/user_id': person,
      'deletions/id': crypto.randomUUID(),
      'v2/concurrency_limits/id_or_name': tagLimit.id,
      'v2/concurrency_limits/leases/lease_id': (lease.body as { lease_id: string }).lease_id,
      'concurrency_limits/id': tagLimit.id,
      'concurrency_limits/tag/tag': 'foreign-tag',
      'collections/views/view': 'foreign-view',
      'block_types/id': blockType.id,
      'block_types/slug/slug': blockType.slug,
      'block_types/slug/slug/block_documents/name/block_document_name': blockDocument.name,
      'block_schemas/id': blockSchema.id,
      'block_schemas/checksum/checksum': blockSchema.checksum,
      'block_documents/id': blockDocument.id,
      'flows/id': flow.id,
      flow_id: flow.id,
      'flows/name/name': flow.name,
      'deployments/name/flow_name': flow.name,
      'deployments/name/flow_name/deployment_name': deployment.name,
      'deployments/id': deployment.id,
      'deployments/id/schedules/schedule_id': deployment.schedules[0]?.id ?? '',
      'work_pools/name': pool.name,
      'work_pools/work_pool_name': pool.name,
      'work_pools/work_pool_name/queues/name': queue.name,
      'work_pools/work_pool_name/workers/name': 'foreign-worker',
      'work_queues/id': queue.id,
      'work_queues/name/name': queue.name,
      'flow_runs/id': flowRun.id,
      flow_run_id: flowRun.id,
      'flow_run_states/id': flowRun.state_id ?? '',
      'task_runs/id': taskRun.id,
      task_run_id: taskRun.id,
      'task_run_states/id': taskRun.state_id ?? '',
    }
    const others = new Map(
      Object.values(foreign).map((value) => [
        value,
        value.startsWith('foreign') ? value.replace('foreign', 'nowhere') : crypto.randomUUID(),
      ]),
    )
    nowhere = Object.fromEntries(
      Object.entries(foreign).map(([kind, value]) => [kind, others.get(value) ?? '']),
    )
    const own = { agent_id: crypto.randomUUID(), version: '0' }
    Object.assign(foreign, own)
    Object.assign(nowhere, own)
    readAll = async () => {
      const things = await Promise.all([
        client.readBlockType(blockType.id),
        client.readBlockSchema(blockSchema.id),
        client.readBlockDocument(blockDocument.id),
        client.readVariable(variable.name),
        client.readAutomation(automation.id),
        client.readArtifact(artifact.id),
        client.filterFlowRunInputs(flowRun.id, { prefix: '' }),
        client.readFlow(flow.id),
        client.readDeployment(deployment.id),
        client.readWorkPool(pool.name),
        client.readWorkQueue(pool.name, queue.name),
        client.readFlowRun(flowRun.id),
        client.readTaskRun(taskRun.id),
        client.filterWorkers(pool.name),
        client.readFlowRunStates(flowRun.id),
      ])
      // Estimates grow with time.
      return JSON.parse(JSON.stringify(things).replaceAll(/"estimated_\w+":[^,}]*/g, '"":0'))
    }
    before = await readAll()
  })

  const naming = closed.filter(
    (route) =>
      route.operation.parameters.length > 0 || /\/(flow_runs|deployments)\/$/.test(route.path),
  )

  test.for(naming)('is to $name as if it had never been', async (route) => {
    const answers = await Promise.all(
      [foreign, nowhere].map(async (values) => {
        const { path, body } = request(route, values)
        expect(path).not.toContain('no value')
        const response = await send(route, { key, path, body })
        const text = await response.text()
        return {
          status: response.status,
          body: Object.values(values).reduce((rest, value) => rest.replaceAll(value, '?'), text),
        }
      }),
    )
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]?.status).toBe(OTHERWISE[route.name] ?? (isOfHolder(route) ? 403 : 404))
  })

  test('is as it was', async () => {
    expect(await readAll()).toEqual(before)
  })
})

import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, test } from 'vitest'
import type { AuditEntry } from '#core/wire/audit.ts'
import type { StateCreate } from '#core/wire/state.ts'
import { isAudited, UNAUDITED } from '../../worker/http/audited-operations.ts'
import { permissionOf } from '../../worker/http/operation-permissions.ts'
import { jobsStub } from '../../worker/operations/stubs.ts'
import { anAutomation } from '../support/automations.ts'
import { eventually } from '../support/eventually.ts'
import { asStub } from '../support/objects.ts'
import { closed, type Route } from '../support/routes.ts'
import { API_URL, bindings, fetchWorker } from '../support/workspace.ts'
import { aServiceAccountKey } from '../wall/callers.ts'
import { aFullWorkspace, aName, idOf, nameOf, type FullWorkspace } from '../wall/full-workspace.ts'
import { isOfHolder, isSocket } from '../wall/operations.ts'
import { requestOf } from '../wall/requests.ts'
import { slotsOf } from '../wall/slots.ts'

// From the API's own description: whatever changes something and is not listed as unaudited leaves an entry, and none when it
// is refused. So a new operation is in it by itself.

interface Sent {
  path: string
  body?: unknown
}
type Give = (own: FullWorkspace) => Promise<Sent> | Sent

let own: FullWorkspace
let viewer: string
beforeAll(async () => {
  own = await aFullWorkspace()
  viewer = await aServiceAccountKey(own, 'viewer')
}, 120_000)

const audited = closed.filter(
  (route) =>
    !isSocket(route) &&
    !isOfHolder(route) &&
    isAudited(route.method, route.path, 'key') &&
    // Its entry is the account's, since the workspace's go with it: test/durable/deletion.test.ts.
    route.name !== 'DELETE /workspace',
)

const aVariable = async ({ client }: FullWorkspace) =>
  await client.createVariable({ name: aName('variable'), value: 1 })
const aLimit = async ({ client }: FullWorkspace) =>
  await client.createConcurrencyLimit({ name: aName('limit'), limit: 1 })
const aTagLimit = async ({ client }: FullWorkspace) =>
  await client.createConcurrencyLimit({ name: `tag:${aName('tag')}`, limit: 1 })
const aFlow = async ({ client }: FullWorkspace) => await client.createFlow({ name: aName('flow') })
const aPool = async ({ client }: FullWorkspace) =>
  await client.createWorkPool({ name: aName('pool'), type: 'process' })
const aRun = async (full: FullWorkspace) =>
  await full.client.createFlowRun({ flow_id: idOf(full, 'flow') })
const aDeployment = async (full: FullWorkspace) =>
  await full.client.createDeployment({
    name: aName('deployment'),
    flow_id: idOf(full, 'flow'),
    schedules: [{ schedule: { rrule: 'DTSTART:20900101T000000Z\nRRULE:FREQ=YEARLY' } }],
  })
const aQueue = async (full: FullWorkspace) =>
  await full.client.createWorkQueue(nameOf(full, 'work_pool'), { name: aName('queue') })
const aBlockType = async ({ client }: FullWorkspace) =>
  await client.createBlockType({ name: aName('type'), slug: aName('type') })
const aServiceAccount = async ({ client }: FullWorkspace) =>
  await client.createServiceAccount({ name: aName('robot'), role: 'viewer' })
const aKey = async ({ client }: FullWorkspace) =>
  await client.createApiKey({ name: aName('key'), kind: 'agent' })

async function aBlockSchema(full: FullWorkspace) {
  const { id, slug } = await aBlockType(full)
  const fields = { title: slug, type: 'object', properties: {}, block_type_slug: slug }
  return await full.client.createBlockSchema({ block_type_id: id, fields })
}

async function aBlockDocument(full: FullWorkspace) {
  const { id, block_type_id } = await aBlockSchema(full)
  const ids = { block_type_id, block_schema_id: id }
  return await full.client.createBlockDocument({ name: aName('block'), data: {}, ...ids })
}

/** A filter that chooses one run of its own. */
async function ofARun(full: FullWorkspace, type?: StateCreate['type']) {
  const { id } = await aRun(full)
  if (type !== undefined) {
    await full.client.setFlowRunState(id, { type }, true)
  }
  return { flow_runs: { id: { any_: [id] } } }
}

/** One whose next step is in an hour. */
async function aLongJob({ workspace }: FullWorkspace): Promise<string> {
  const id = crypto.randomUUID()
  await runInDurableObject(asStub(jobsStub(workspace)), (_object, { storage }) => {
    storage.sql.exec(
      `INSERT INTO job (id, kind, state, parameters, done, skipped, created, at, tries)
       VALUES (?, 'diagnostics', 'RUNNING', '{"repair":false}', 0, '{}', ?, ?, 0)`,
      id,
      Date.now() * 1000,
      Date.now() + 3_600_000,
    )
  })
  return id
}

/** A person who is a viewer. */
async function aMember({ workspace }: FullWorkspace): Promise<string> {
  const id = crypto.randomUUID()
  await bindings.DB.batch([
    bindings.DB.prepare(
      "INSERT INTO user (id, name, email, email_verified, created, updated) VALUES (?1, 'Ada', ?1, 1, 0, 0)",
    ).bind(id),
    bindings.DB.prepare(
      "INSERT INTO workspace_member (workspace_id, member_kind, member_id, role, created) VALUES (?, 'user', ?, 'viewer', '')",
    ).bind(workspace.id, id),
  ])
  return id
}

/** What operations need that the least request does not have: things that are theirs to change or delete. */
const GIVEN: Record<string, Give> = {
  'PATCH /deployments/{id}': (full) => ({
    path: `/deployments/${idOf(full, 'deployment')}`,
    body: { description: 'other' },
  }),
  'POST /deployments/{id}/pause_deployment': (full) => ({
    path: `/deployments/${idOf(full, 'deployment')}/pause_deployment`,
  }),
  'POST /deployments/{id}/resume_deployment': (full) => ({
    path: `/deployments/${idOf(full, 'deployment')}/resume_deployment`,
  }),
  'POST /members/invitations': () => ({
    path: '/members/invitations',
    body: { email: 'a@example.com', role: 'viewer' },
  }),
  'PATCH /variables/{id}': async (full) => ({
    path: `/variables/${(await aVariable(full)).id}`,
    body: { value: 2 },
  }),
  'PATCH /variables/name/{name}': async (full) => ({
    path: `/variables/name/${(await aVariable(full)).name}`,
    body: { value: 2 },
  }),
  'DELETE /variables/{id}': async (full) => ({ path: `/variables/${(await aVariable(full)).id}` }),
  'DELETE /variables/name/{name}': async (full) => ({
    path: `/variables/name/${(await aVariable(full)).name}`,
  }),
  'POST /v2/concurrency_limits/': () => ({
    path: '/v2/concurrency_limits/',
    body: { name: aName('limit'), limit: 1 },
  }),
  'PATCH /v2/concurrency_limits/{id_or_name}': async (full) => ({
    path: `/v2/concurrency_limits/${(await aLimit(full)).id}`,
    body: { limit: 2 },
  }),
  'DELETE /v2/concurrency_limits/{id_or_name}': async (full) => ({
    path: `/v2/concurrency_limits/${(await aLimit(full)).id}`,
  }),
  'POST /concurrency_limits/': () => ({
    path: '/concurrency_limits/',
    body: { tag: aName('tag'), concurrency_limit: 1 },
  }),
  'DELETE /concurrency_limits/{id}': async (full) => ({
    path: `/concurrency_limits/${(await aTagLimit(full)).id}`,
  }),
  'DELETE /concurrency_limits/tag/{tag}': async (full) => ({
    path: `/concurrency_limits/tag/${(await aTagLimit(full)).name.slice(4)}`,
  }),
  'POST /concurrency_limits/tag/{tag}/reset': async (full) => ({
    path: `/concurrency_limits/tag/${(await aTagLimit(full)).name.slice(4)}/reset`,
  }),
  'DELETE /flows/{id}': async (full) => ({ path: `/flows/${(await aFlow(full)).id}` }),
  'POST /flows/bulk_delete': async (full) => ({
    path: '/flows/bulk_delete',
    body: { flows: { id: { any_: [(await aFlow(full)).id] } } },
  }),
  'DELETE /work_pools/{name}': async (full) => ({
    path: `/work_pools/${(await aPool(full)).name}`,
  }),
  'DELETE /work_pools/{work_pool_name}/queues/{name}': async (full) => ({
    path: `/work_pools/${nameOf(full, 'work_pool')}/queues/${(await aQueue(full)).name}`,
  }),
  'DELETE /work_queues/{id}': async (full) => ({ path: `/work_queues/${(await aQueue(full)).id}` }),
  'POST /work_queues/': async (full) => {
    await full.client.createWorkPool({ name: 'default-agent-pool', type: 'prefect-agent' })
    return { path: '/work_queues/', body: { name: aName('queue') } }
  },
  'DELETE /work_pools/{work_pool_name}/workers/{name}': async (full) => {
    const name = aName('worker')
    await full.client.workerHeartbeat(nameOf(full, 'work_pool'), { name })
    return { path: `/work_pools/${nameOf(full, 'work_pool')}/workers/${name}` }
  },
  'DELETE /deployments/{id}': async (full) => ({
    path: `/deployments/${(await aDeployment(full)).id}`,
  }),
  'POST /deployments/bulk_delete': async (full) => ({
    path: '/deployments/bulk_delete',
    body: { deployments: { id: { any_: [(await aDeployment(full)).id] } } },
  }),
  'POST /deployments/{id}/schedules': async (full) => ({
    path: `/deployments/${(await aDeployment(full)).id}/schedules`,
    body: [{ schedule: { interval: 86_400 } }],
  }),
  'PATCH /deployments/{id}/schedules/{schedule_id}': async (full) => {
    const { id, schedules } = await aDeployment(full)
    return {
      path: `/deployments/${id}/schedules/${schedules[0]?.id ?? ''}`,
      body: { active: false },
    }
  },
  'DELETE /deployments/{id}/schedules/{schedule_id}': async (full) => {
    const { id, schedules } = await aDeployment(full)
    return { path: `/deployments/${id}/schedules/${schedules[0]?.id ?? ''}` }
  },
  'POST /deployments/{id}/backfill': (full) => ({
    path: `/deployments/${idOf(full, 'deployment')}/backfill`,
    body: { start: '2096-01-01T00:00:00Z', end: '2097-02-01T00:00:00Z' },
  }),
  'DELETE /flow_runs/{id}': async (full) => ({ path: `/flow_runs/${(await aRun(full)).id}` }),
  'POST /flow_runs/{id}/set_state': async (full) => ({
    path: `/flow_runs/${(await aRun(full)).id}/set_state`,
    body: { state: { type: 'CANCELLED' } },
  }),
  'POST /flow_runs/{id}/resume': async (full) => {
    const { id } = await aRun(full)
    await full.client.setFlowRunState(
      id,
      { type: 'PAUSED', state_details: { pause_timeout: '2090-01-01T00:00:00Z' } },
      true,
    )
    return { path: `/flow_runs/${id}/resume` }
  },
  'POST /flow_runs/bulk_delete': async (full) => ({
    path: '/flow_runs/bulk_delete',
    body: await ofARun(full),
  }),
  'POST /flow_runs/bulk_set_state': async (full) => ({
    path: '/flow_runs/bulk_set_state',
    body: { ...(await ofARun(full)), state: { type: 'CANCELLED' } },
  }),
  'POST /flow_runs/bulk_cancel': async (full) => ({
    path: '/flow_runs/bulk_cancel',
    body: await ofARun(full),
  }),
  'POST /flow_runs/bulk_retry': async (full) => ({
    path: '/flow_runs/bulk_retry',
    body: await ofARun(full, 'FAILED'),
  }),
  'POST /flow_runs/bulk_remove': async (full) => ({
    path: '/flow_runs/bulk_remove',
    body: await ofARun(full),
  }),
  'POST /flow_runs/bulk_pause': async (full) => ({
    path: '/flow_runs/bulk_pause',
    body: await ofARun(full, 'RUNNING'),
  }),
  'POST /jobs/{id}/cancel': async (full) => ({ path: `/jobs/${await aLongJob(full)}/cancel` }),
  'DELETE /automations/{id}': async (full) => ({
    path: `/automations/${(await full.client.createAutomation(anAutomation())).id}`,
  }),
  'PUT /automations/{id}': async (full) => ({
    path: `/automations/${(await full.client.createAutomation(anAutomation())).id}`,
    body: anAutomation({ name: aName('automation') }),
  }),
  'POST /automations/': () => ({ path: '/automations/', body: anAutomation() }),
  'DELETE /automations/owned-by/{resource_id}': async (full) => {
    const owner_resource = aName('resource')
    await full.client.createAutomation(anAutomation({ owner_resource }))
    return { path: `/automations/owned-by/${owner_resource}` }
  },
  'POST /block_documents/': async (full) => {
    const { id, block_type_id } = await aBlockSchema(full)
    return {
      path: '/block_documents/',
      body: { name: aName('block'), data: {}, block_type_id, block_schema_id: id },
    }
  },
  'PATCH /block_documents/{id}': async (full) => ({
    path: `/block_documents/${(await aBlockDocument(full)).id}`,
    body: { data: { a: 1 } },
  }),
  'DELETE /block_documents/{id}': async (full) => ({
    path: `/block_documents/${(await aBlockDocument(full)).id}`,
  }),
  'POST /block_schemas/': async (full) => {
    const { id, slug } = await aBlockType(full)
    return {
      path: '/block_schemas/',
      body: {
        block_type_id: id,
        fields: { title: slug, type: 'object', properties: {}, block_type_slug: slug },
      },
    }
  },
  'DELETE /block_schemas/{id}': async (full) => ({
    path: `/block_schemas/${(await aBlockSchema(full)).id}`,
  }),
  'PATCH /block_types/{id}': async (full) => ({
    path: `/block_types/${(await aBlockType(full)).id}`,
    body: { description: 'other' },
  }),
  'DELETE /block_types/{id}': async (full) => ({
    path: `/block_types/${(await aBlockType(full)).id}`,
  }),
  'PUT /admin/storage': (full) => ({
    path: '/admin/storage',
    body: { default_result_storage_block_id: idOf(full, 'block_document') },
  }),
  'DELETE /admin/storage': async (full) => {
    await full.client.setResultStorage(idOf(full, 'block_document'))
    return { path: '/admin/storage' }
  },
  'DELETE /artifacts/{id}': async (full) => ({
    path: `/artifacts/${(await full.client.createArtifact({ key: aName('artifact'), data: 'x' })).id}`,
  }),
  'PATCH /service_accounts/{id}': async (full) => ({
    path: `/service_accounts/${(await aServiceAccount(full)).id}`,
    body: { role: 'runner' },
  }),
  'DELETE /service_accounts/{id}': async (full) => ({
    path: `/service_accounts/${(await aServiceAccount(full)).id}`,
  }),
  'POST /keys': () => ({ path: '/keys', body: { name: aName('key'), kind: 'workspace' } }),
  'POST /keys/{id}/rotate': async (full) => ({ path: `/keys/${(await aKey(full)).id}/rotate` }),
  'DELETE /keys/{id}': async (full) => ({ path: `/keys/${(await aKey(full)).id}` }),
  'DELETE /members/invitations/{id}': async (full) => ({
    path: `/members/invitations/${(await full.client.createInvitation({ email: 'a@example.com', role: 'viewer' })).id}`,
  }),
  'PATCH /members/{id}': async (full) => ({
    path: `/members/${await aMember(full)}`,
    body: { role: 'runner' },
  }),
  'DELETE /members/{id}': async (full) => ({ path: `/members/${await aMember(full)}` }),
}

describe('an operation that is done', () => {
  test.for(audited)('$name leaves one entry', async (route) => {
    const { path, body } = (await GIVEN[route.name]?.(own)) ?? requestOf(route, own, [])
    const { status, text, requestId } = await send(route, path, body, own.key)
    expect(status, text).toBeLessThan(300)
    const entries = await eventually(async () => {
      const found = await entriesOf(requestId)
      return found.length > 0 && found
    })
    expect(entries).toHaveLength(1)
    expect(entries[0]?.operation).toBe(route.operation.operationId)
  })
})

describe('an operation that is refused leaves no entry', () => {
  test.for(audited)('$name', async (route) => {
    const inPath = slotsOf(route).filter(({ where }) => where === 'path')
    const onNothing = requestOf(
      route,
      own,
      inPath.map((slot) => ({
        slot,
        value: slot.schema.format === 'uuid' ? crypto.randomUUID() : aName('never'),
      })),
    )
    const refused = [await send(route, onNothing.path, onNothing.body, viewer)]
    expect(refused[0]?.status).toBe(403)
    if (inPath.length > 0 && !ON_NOTHING.has(route.name)) {
      refused.push(await send(route, onNothing.path, onNothing.body, own.key))
    }
    if (route.body !== undefined) {
      refused.push(await send(route, onNothing.path, 'this is no such body', own.key))
    }
    for (const { status, text, requestId } of refused) {
      expect(status, text).toBeGreaterThanOrEqual(400)
      expect(status, text).toBeLessThan(500)
      // oxlint-disable-next-line no-await-in-loop -- three at most
      expect(await entriesOf(requestId)).toEqual([])
    }
  })
})

/** Nothing is a success for them. */
const ON_NOTHING = new Set(['DELETE /automations/owned-by/{resource_id}'])

test('what leaves no entry changes something, and is there', () => {
  const operations = new Map(
    closed.map(({ method, path }) => [`${method} ${path}`, { method, path }]),
  )
  for (const operation of UNAUDITED) {
    const found = operations.get(operation)
    expect(found, operation).toBeDefined()
    expect(permissionOf(found?.method ?? '', found?.path ?? ''), operation).not.toBe('see')
  }
})

async function send(route: Route, path: string, body: unknown, key: string) {
  const response = await fetchWorker(API_URL + path, {
    method: route.method.toUpperCase(),
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return {
    status: response.status,
    text: await response.text(),
    requestId: response.headers.get('X-Request-Id') ?? '',
  }
}

async function entriesOf(requestId: string): Promise<AuditEntry[]> {
  const audit = { request_id: { any_: [requestId] } }
  return (await own.client.filterAudit({ audit })).entries
}

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { homeKeyOf } from '#core/flow-run-id.ts'
import type { AgentIdentity } from '#core/wire/execution.ts'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { StateCreate } from '#core/wire/state.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { anAutomation } from '../support/automations.ts'
import { call } from '../support/call.ts'
import { eventually } from '../support/eventually.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, clientOf, type TestWorkspace } from '../support/workspace.ts'
import { aMember } from './people.ts'

/** What a workspace has of one kind of thing. The first of each kind belong together. */
interface Known {
  ids: string[]
  names: string[]
}

export interface FullWorkspace extends TestWorkspace {
  /** By noun, as the API writes it: `flow_run`, `work_queue`. */
  known: Record<string, Known>
  /** The token of a run that is live as long as the test goes on. */
  runToken: string
  /** Of a list of events that goes on. */
  pageToken: string
}

/** Nothing that is planned happens while the test goes on: the clock must not change what is compared. */
const FAR = '2090-01-01T00:00:00Z'
const HOUR_MICROS = 3_600_000_000

/** No two workspaces have a name in common; fits wherever the API restricts names. */
export const aName = (noun: string): string => `${noun.replaceAll('_', '-')}-${crypto.randomUUID()}`

/** A workspace that has some of everything that has an id or a name. */
export async function aFullWorkspace(): Promise<FullWorkspace> {
  const workspace = await aWorkspace()
  const known: Record<string, Known> = {
    account: { ids: [workspace.workspace.account_id], names: [workspace.workspace.name] },
    workspace: { ids: [workspace.workspace.id], names: [workspace.workspace.name] },
  }
  const full: FullWorkspace = { ...workspace, known, runToken: '', pageToken: '' }
  await addConfiguration(full)
  await addFlowRuns(full)
  await addLiveRun(full)
  await addOfRuns(full)
  await addLimits(full)
  await addJobs(full)
  await addCallers(full)
  await addPeople(full)
  await addPresent(full)
  return full
}

function add(of: FullWorkspace, noun: string, id: string | null, ...names: string[]): void {
  const known = (of.known[noun] ??= { ids: [], names: [] })
  known.ids.push(...(id === null ? [] : [id]))
  known.names.push(...names)
}

/** The first of a kind. */
export function idOf(of: FullWorkspace, noun: string): string {
  const id = of.known[noun]?.ids[0]
  if (id === undefined) {
    throw new Error(`a full workspace has no id of the kind ${noun}`)
  }
  return id
}

export function nameOf(of: FullWorkspace, noun: string): string {
  const name = of.known[noun]?.names[0]
  if (name === undefined) {
    throw new Error(`a full workspace has no name of the kind ${noun}`)
  }
  return name
}

async function addConfiguration(full: FullWorkspace): Promise<void> {
  const { client } = full
  const flow = await client.createFlow({ name: aName('flow'), tags: [aName('tag')] })
  add(full, 'flow', flow.id, flow.name)
  add(full, 'tag', null, ...flow.tags)
  const pool = await client.createWorkPool({ name: aName('work_pool'), type: 'process' })
  const queue = await client.createWorkQueue(pool.name, { name: aName('work_queue') })
  add(full, 'work_pool', pool.id, pool.name)
  add(full, 'work_queue', queue.id, queue.name)
  add(full, 'work_queue', pool.default_queue_id)
  const deployment = await client.createDeployment({
    flow_id: flow.id,
    name: aName('deployment'),
    work_pool_name: pool.name,
    work_queue_name: queue.name,
    tags: [nameOf(full, 'tag')],
    concurrency_limit: 10,
    schedules: [{ schedule: { rrule: yearly }, slug: aName('slug') }],
    enforce_parameter_schema: false,
  })
  add(full, 'deployment', deployment.id, deployment.name)
  for (const { id, slug } of deployment.schedules) {
    add(full, 'schedule', id, slug ?? '')
  }
  await addBlocks(full)
  const variable = await client.createVariable({ name: aName('variable'), value: aName('value') })
  add(full, 'variable', variable.id, variable.name)
  const automation = await client.createAutomation(
    anAutomation({
      name: aName('automation'),
      owner_resource: `prefect.deployment.${deployment.id}`,
    }),
  )
  add(full, 'automation', automation.id, automation.name)
  const search = await client.saveSearch({ name: aName('saved_search') })
  add(full, 'saved_search', search.id, search.name)
  add(full, 'resource', null, `prefect.deployment.${deployment.id}`, `prefect.flow.${flow.id}`)
  const created = (deployment.created_by as { id: string | null } | null)?.id ?? null
  add(full, 'api_key', created)
}

const yearly = 'DTSTART:20900101T000000Z\nRRULE:FREQ=YEARLY'

async function addBlocks(full: FullWorkspace): Promise<void> {
  const { client } = full
  const slug = aName('block_type')
  const type = await client.createBlockType({ name: `type ${slug}`, slug })
  const schema = await client.createBlockSchema({
    block_type_id: type.id,
    fields: {
      title: slug,
      type: 'object',
      properties: { token: { type: 'string' } },
      secret_fields: ['token'],
      block_type_slug: slug,
      block_schema_references: {},
    },
    capabilities: [aName('capability'), 'write-path'],
    version: aName('version'),
  })
  const document = await client.createBlockDocument({
    name: aName('block_document'),
    block_type_id: type.id,
    block_schema_id: schema.id,
    data: { token: aName('secret') },
  })
  add(full, 'block_type', type.id, type.slug, type.name)
  add(full, 'block_schema', schema.id, schema.checksum, schema.capabilities[0] ?? '')
  add(full, 'block_document', document.id, document.name)
}

/** Runs in all states that last. */
async function addFlowRuns(full: FullWorkspace): Promise<void> {
  const { client } = full
  const flow_id = idOf(full, 'flow')
  const states: StateCreate[] = [
    { type: 'SCHEDULED', state_details: { scheduled_time: FAR } },
    { type: 'SCHEDULED', name: 'Late', state_details: { scheduled_time: '2020-01-01T00:00:00Z' } },
    { type: 'RUNNING' },
    { type: 'PAUSED', state_details: { pause_timeout: FAR } },
    { type: 'COMPLETED' },
    { type: 'FAILED' },
    { type: 'CANCELLED' },
    { type: 'CRASHED' },
  ]
  for (const state of states) {
    // oxlint-disable-next-line no-await-in-loop -- their order is that of their states
    const made = await client.createFlowRun({
      flow_id,
      state,
      name: aName('flow_run'),
      idempotency_key: aName('idempotency_key'),
      tags: [nameOf(full, 'tag')],
      flow_version: aName('flow_version'),
    })
    addFlowRun(full, made)
  }
  const waiting = await client.createFlowRunFromDeployment(idOf(full, 'deployment'), {
    name: aName('flow_run'),
    state: { type: 'SCHEDULED', state_details: { scheduled_time: FAR } },
  })
  addFlowRun(full, waiting)
}

function addFlowRun(full: FullWorkspace, { id, name, state_id, ...run }: FlowRun): void {
  add(full, 'flow_run', id, name)
  add(full, 'flow_run_state', state_id)
  add(full, 'idempotency_key', null, ...(run.idempotency_key === null ? [] : [run.idempotency_key]))
  add(full, 'flow_version', null, ...(run.flow_version === null ? [] : [run.flow_version]))
}

/** A run that an agent has claimed and that works, under a lease that outlasts the test. */
async function addLiveRun(full: FullWorkspace): Promise<void> {
  const { client } = full
  const pool = nameOf(full, 'work_pool')
  const agent: AgentIdentity = {
    agent_id: crypto.randomUUID(),
    name: aName('agent'),
    version: '0.1.0',
  }
  const created = await client.createFlowRunFromDeployment(idOf(full, 'deployment'), {
    name: aName('flow_run'),
  })
  const { runs } = await client.claim(pool, { agent, limit: 1 })
  const [claimed] = runs
  if (claimed === undefined) {
    throw new Error('the run that waits was not claimed')
  }
  const executions = [{ flow_run_id: created.id, fence: claimed.fence }]
  await client.accept(pool, { agent_id: agent.agent_id, executions })
  full.runToken = claimed.run_token
  await clientOf(full.runToken).setFlowRunState(created.id, { type: 'RUNNING' })
  await prolongLease(full, created.id)
  add(full, 'agent', agent.agent_id, agent.name)
  add(full, 'live_run', created.id)
  addFlowRun(full, await client.readFlowRun(created.id))
}

/** As if the agent had renewed an hour from now. */
async function prolongLease({ workspace }: FullWorkspace, id: string): Promise<void> {
  const home = asStub(homeStub(workspace, homeKeyOf(id)))
  await runInDurableObject(home, (_object, { storage }) => {
    storage.sql.exec(
      `UPDATE run SET timer_at = timer_at + ${HOUR_MICROS},
        body = json_set(body, '$.lease_until', (body ->> '$.lease_until') + ${HOUR_MICROS},
          '$.timer_at', (body ->> '$.timer_at') + ${HOUR_MICROS})
       WHERE id = ?`,
      id,
    )
  })
}

/** What runs have: task runs, artifacts, inputs, logs, events. */
async function addOfRuns(full: FullWorkspace): Promise<void> {
  const { client } = full
  const flow_run_id = idOf(full, 'flow_run')
  const taskRun = await client.createTaskRun({
    flow_run_id,
    name: aName('task_run'),
    task_key: aName('task_key'),
    dynamic_key: aName('dynamic_key'),
    cache_key: aName('cache_key'),
    tags: [nameOf(full, 'tag')],
    state: { type: 'RUNNING' },
  })
  add(full, 'task_run', taskRun.id, taskRun.name)
  add(full, 'task_key', null, taskRun.task_key)
  add(full, 'task_run_state', taskRun.state_id)
  const deferred = await client.createTaskRun({
    name: aName('task_run'),
    task_key: aName('task_key'),
    dynamic_key: aName('dynamic_key'),
    state: { type: 'SCHEDULED', state_details: { deferred: true, scheduled_time: FAR } },
  })
  add(full, 'task_run', deferred.id, deferred.name)
  add(full, 'task_key', null, deferred.task_key)
  const key = aName('artifact')
  const artifact = await client.createArtifact({
    key,
    type: 'markdown',
    data: aName('data'),
    flow_run_id,
    task_run_id: taskRun.id,
  })
  add(full, 'artifact', artifact.id, key)
  const [collection] = await client.filterLatestArtifacts()
  add(full, 'artifact', collection?.id ?? null)
  const input = { key: aName('input'), value: '"hello"', sender: `prefect.flow-run.${flow_run_id}` }
  await client.createFlowRunInput(flow_run_id, input)
  add(full, 'input', null, input.key)
  const text = aName('log')
  const line = { name: text, level: 20, message: text, timestamp: '2026-01-01T00:00:00Z' }
  await client.createLogs([{ ...line, flow_run_id, task_run_id: taskRun.id }])
  await eventually(async () => (await client.filterLogs()).length > 0)
  const [log] = await client.filterLogs()
  add(full, 'log', log?.id ?? null, text)
  await addEvent(full)
}

async function addEvent(full: FullWorkspace): Promise<void> {
  const id = crypto.randomUUID()
  const resource = { 'prefect.resource.id': aName('resource') }
  const occurred = new Date().toISOString()
  await full.client.createEvents([{ id, occurred, event: aName('event'), resource }])
  add(full, 'event', id)
  const page = await eventually(async () => {
    const { next_page } = await full.client.filterEvents({ limit: 1 })
    return next_page
  })
  full.pageToken = new URL(page).searchParams.get('page-token') ?? ''
  add(full, 'resource', null, resource['prefect.resource.id'])
  add(full, 'resource', null, `prefect.flow-run.${idOf(full, 'flow_run')}`)
}

/** Limits of both kinds, with slots that are held. */
async function addLimits(full: FullWorkspace): Promise<void> {
  const { client, key } = full
  const limit = await client.createConcurrencyLimit({ name: aName('concurrency_limit'), limit: 5 })
  add(full, 'concurrency_limit', limit.id, limit.name)
  const leased = await call(key, 'POST', '/v2/concurrency_limits/increment-with-lease', {
    names: [limit.name],
    slots: 1,
    lease_duration: 86_400,
    holder: { type: 'flow_run', id: idOf(full, 'flow_run') },
  })
  add(full, 'lease', (leased.body as { lease_id: string }).lease_id)
  const tag = nameOf(full, 'tag')
  const ofTag = await call(key, 'POST', '/concurrency_limits/', { tag, concurrency_limit: 5 })
  add(full, 'concurrency_limit', (ofTag.body as { id: string }).id, `tag:${tag}`)
  await call(key, 'POST', '/concurrency_limits/increment', {
    names: [tag],
    task_run_id: idOf(full, 'task_run'),
  })
}

/** Jobs of several kinds, all over. */
async function addJobs(full: FullWorkspace): Promise<void> {
  const { client } = full
  const chosen = { flow_runs: { id: { any_: [idOf(full, 'flow_run')] } } }
  const { job } = await client.bulkPauseFlowRuns({ ...chosen, idempotency_key: aName('job') })
  const backfill = await client.backfillDeployment(idOf(full, 'deployment'), {
    start: '2095-01-01T00:00:00Z',
    end: '2096-02-01T00:00:00Z',
  })
  const diagnostics = await client.startDiagnostics()
  for (const id of [job?.id, backfill.job?.id, diagnostics.id]) {
    if (id === undefined) {
      throw new Error('a job was not begun')
    }
    add(full, 'job', id)
    // oxlint-disable-next-line no-await-in-loop -- few
    await eventually(async () => (await client.readJob(id)).finished !== null)
  }
  add(full, 'diagnostics', diagnostics.id)
}

/** Who may come in. */
async function addCallers(full: FullWorkspace): Promise<void> {
  const made = async (path: string, body: object) =>
    (await call(full.key, 'POST', path, body)).body as { id: string; name: string }
  const key = await made('/keys', { name: aName('api_key'), kind: 'agent' })
  add(full, 'api_key', key.id, key.name)
  const enrolment = await made('/enrolments', {
    name: aName('enrolment'),
    work_pools: [nameOf(full, 'work_pool')],
  })
  add(full, 'enrolment', enrolment.id, enrolment.name)
  const role = 'viewer'
  const account = await made('/service_accounts', { name: aName('service_account'), role })
  add(full, 'service_account', account.id, account.name)
}

/** Who is here, and who is invited. */
async function addPeople(full: FullWorkspace): Promise<void> {
  const id = await aMember(full.workspace.id, 'developer')
  add(full, 'member', id)
  const email = `${aName('person')}@example.com`
  const invitation = await full.client.createInvitation({ email, role: 'viewer' })
  add(full, 'invitation', invitation.id, email)
}

/** Who serves the pool: the agent, and a worker. Neither has been heard of for long, so that nobody waits for them. */
async function addPresent(full: FullWorkspace): Promise<void> {
  const { client, workspace } = full
  const pool = nameOf(full, 'work_pool')
  const name = aName('worker')
  await client.workerHeartbeat(pool, { name })
  // The agent's claim is noted after it is answered.
  await eventually(async () => (await client.filterWorkers(pool)).length === 2)
  for (const worker of await client.filterWorkers(pool)) {
    add(full, 'worker', worker.id, worker.name)
  }
  const queue = async () => await client.readWorkQueue(pool, nameOf(full, 'work_queue'))
  await eventually(async () => (await queue()).status === 'READY')
  await workspace.database.batch([
    workspace.database
      .prepare('UPDATE worker SET last_heartbeat_time = ? WHERE workspace_id = ?')
      .bind(PAST, workspace.id),
    workspace.database
      .prepare('UPDATE work_queue SET last_polled = ? WHERE workspace_id = ?')
      .bind(PAST, workspace.id),
  ])
  // A home that wakes looks at once who is still there.
  const home = asStub(homeStub(workspace, homeKeyOf(idOf(full, 'live_run'))))
  await evictDurableObject(home)
  await runDurableObjectAlarm(home)
  await eventually(async () => (await queue()).status === 'NOT_READY')
}

const PAST = '2020-01-01T00:00:00.000000Z'

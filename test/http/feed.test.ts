import { evictDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { FeedFrame } from '#core/wire/feed.ts'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { Workspace } from '#storage/workspace.ts'
import { eventHubStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aTaskRunEvent } from '../support/task-run-events.ts'
import { openSocket, type TestSocket } from '../support/test-socket.ts'
import { API_URL, aWorkspace, fetchWorker } from '../support/workspace.ts'

type Feed = TestSocket<FeedFrame | { type: 'auth_success' }>

const openFeed = async (address = '/feed'): Promise<Feed> => await openSocket(address)

async function aFeed(key: string, topics: string[], since?: number): Promise<Feed> {
  const feed = await openFeed()
  // All at once: a client need not wait for the answer.
  feed.send({ type: 'auth', token: key })
  feed.send({ type: 'subscribe', topics, ...(since === undefined ? {} : { since }) })
  await feed.until('subscribed')
  return feed
}

const row = (id: string, version: number) => ({ id, version }) as FlowRunRow

async function publish(workspace: Workspace, ...rows: FlowRunRow[]): Promise<void> {
  await eventHubStub(workspace).publishFlowRuns(rows)
}

describe('who may listen', () => {
  test.each<[string, unknown, unknown]>([
    ['no such key', { type: 'auth', token: 'hgk_nonsense' }, 'Invalid token'],
    ['no key', { type: 'auth', token: null }, expect.stringContaining('PREFECT_API_AUTH_STRING')],
    ['another frame first', { type: 'subscribe', topics: [] }, "Expected 'auth' message"],
    ['no JSON', 'hello', "Expected 'auth' message"],
  ])('%s', async (_name, frame, reason) => {
    const feed = await openFeed()
    feed.send(frame)
    await expect.poll(() => feed.ended).toEqual({ code: 1008, reason })
    expect(feed.frames).toEqual([])
  })

  test('the key of the workspace, under its own address only', async () => {
    const { key, workspace } = await aWorkspace()
    const own = `${API_URL}/accounts/${workspace.account_id}/workspaces/${workspace.id}/feed`
    const feed = await openFeed(own)
    expect(feed.protocol).toBe('prefect')
    feed.send({ type: 'auth', token: key })
    await feed.until('auth_success')
    const { workspace: other } = await aWorkspace()
    const foreign = await openFeed(
      `${API_URL}/accounts/${other.account_id}/workspaces/${other.id}/feed`,
    )
    foreign.send({ type: 'auth', token: key })
    await expect.poll(() => foreign.ended?.code).toBe(1008)
  })

  test('a request that is no upgrade is told so', async () => {
    const response = await fetchWorker(`${API_URL}/feed`)
    expect(response.status).toBe(426)
    expect(await response.json()).toEqual({ detail: 'Expected a WebSocket upgrade' })
  })
})

test('a change reaches the screens that show it, and no other workspace', async () => {
  const { key, workspace } = await aWorkspace()
  const stranger = await aWorkspace()
  const [run, other] = [crypto.randomUUID(), crypto.randomUUID()]
  const list = await aFeed(key, ['flow_runs'])
  const page = await aFeed(key, [`flow_run:${run}`])
  const foreign = await aFeed(stranger.key, ['flow_runs', `flow_run:${run}`])
  await publish(workspace, row(run, 1), row(other, 1))
  await eventHubStub(workspace).publishLogs(run)
  await list.until('flow_runs')
  await page.until('logs')
  expect(list.frames.slice(2)).toMatchObject([{ rows: [{ id: run }, { id: other }] }])
  expect(page.frames.slice(2)).toMatchObject([
    { type: 'flow_runs', rows: [{ id: run }] },
    { type: 'logs', flow_run_id: run },
  ])
  expect(foreign.frames.map(({ type }) => type)).toEqual(['auth_success', 'subscribed'])
})

test('a screen that was away gets what it missed, or is told to load again', async () => {
  const { key, workspace } = await aWorkspace()
  const hub = eventHubStub(workspace)
  const [first, second] = [crypto.randomUUID(), crypto.randomUUID()]
  const before = await hub.version()
  await publish(workspace, row(first, 1))
  const between = await hub.version()
  expect(between).toBeGreaterThan(before)
  await publish(workspace, row(second, 1), row(first, 2))
  const feed = await aFeed(key, ['flow_runs'], before)
  expect(feed.frames[1]).toMatchObject({
    type: 'flow_runs',
    version: await hub.version(),
    rows: [{ id: first, version: 2 }, { id: second }],
  })
  const late = await aFeed(key, ['flow_runs'], between)
  expect(late.frames[1]).toMatchObject({ rows: [{ id: second }, { id: first }] })
  await evictDurableObject(asStub(hub))
  const after = await hub.version()
  expect(after).toBeGreaterThan(between)
  const stale = await aFeed(key, ['flow_runs'], between)
  expect(stale.frames.slice(1)).toEqual([
    { type: 'reset', version: after },
    { type: 'subscribed', version: after },
  ])
})

test('a sleeping hub keeps its sockets and what they want', async () => {
  const { key, workspace } = await aWorkspace()
  const run = crypto.randomUUID()
  const feed = await aFeed(key, ['flow_runs'])
  await evictDurableObject(asStub(eventHubStub(workspace)), { webSockets: 'hibernate' })
  await publish(workspace, row(run, 1))
  await feed.until('flow_runs')
  feed.send({ type: 'subscribe', topics: [] })
  await feed.until('subscribed', 2)
  await publish(workspace, row(run, 2))
  await eventHubStub(workspace).version()
  expect(feed.frames.filter(({ type }) => type === 'flow_runs')).toHaveLength(1)
})

test('a burst is sent together, its last change within moments', async () => {
  const { key, workspace } = await aWorkspace()
  const run = crypto.randomUUID()
  const feed = await aFeed(key, ['flow_runs'])
  for (let version = 1; version <= 30; version += 1) {
    await publish(workspace, row(run, version))
  }
  await expect.poll(() => JSON.stringify(feed.frames.at(-1))).toContain('"version":30')
  expect(feed.frames.length).toBeLessThan(20)
})

test('a subscription that says nothing known ends the connection', async () => {
  const { key } = await aWorkspace()
  const feed = await openFeed()
  feed.send({ type: 'auth', token: key })
  feed.send({ type: 'subscribe', topics: ['everything'] })
  await expect.poll(() => feed.ended).toEqual({ code: 1008, reason: "Unknown topic 'everything'" })
})

test('task runs and logs come from where they are kept', async () => {
  const { key, client } = await aWorkspace()
  const run = crypto.randomUUID()
  const taskRunId = crypto.randomUUID()
  const feed = await aFeed(key, [`flow_run:${run}`])
  const event = aTaskRunEvent({
    taskRunId,
    flowRunId: run,
    type: 'RUNNING',
    at: Date.now() * 1000,
  })
  await client.createEvents([event])
  await client.createLogs([
    { name: 'x', level: 20, message: 'm', timestamp: event.occurred, flow_run_id: run },
  ])
  await feed.until('logs')
  await feed.until('task_runs')
  expect(feed.frames.find(({ type }) => type === 'task_runs')).toMatchObject({
    flow_run_id: run,
    task_runs: [{ id: taskRunId, state_type: 'RUNNING', state: { id: event.id } }],
  })
  await feed.close()
})

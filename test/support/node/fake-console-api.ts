import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FeedFrame } from '#core/wire/feed.ts'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { FlowRunFilter, LogFilter } from '#core/wire/query.ts'
import { fakeWorkspace, iso, type FakeWorkspace } from './fake-workspace.ts'
import { serveStatic } from './static-site.ts'
import { ServerSocket } from './web-socket-server.ts'

export const FAKE_KEY = 'hgk_fake'

interface FakeOptions {
  port?: number
  /** The built console. */
  site?: string
  runs?: number
  logLines?: number
}

/**
 * As much of the API as the console reads, over real HTTP and a real socket, with what a real server does not do on demand:
 * ten thousand runs, a hundred thousand lines, a line cut, a request refused.
 */
export class FakeConsoleApi {
  readonly workspace: FakeWorkspace
  /** Paths asked since the start, in order. */
  readonly requests: string[] = []
  /** Answers these paths with 500. */
  readonly broken = new Set<string>()
  /** While false the feed is refused and its sockets are cut. */
  feedIsOpen = true
  url = ''
  /** The highest `since` with which the feed was subscribed. */
  lastSince: number | null | undefined
  #version = 1
  readonly #frames: FeedFrame[] = []
  readonly #topics = new Map<ServerSocket, string[]>()
  readonly #options: FakeOptions
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  constructor(options: FakeOptions = {}) {
    this.#options = options
    this.workspace = fakeWorkspace(Date.now(), options.runs ?? 400, options.logLines ?? 400)
    this.#server.on('upgrade', (request, stream) => {
      if (request.url !== '/api/feed' || !this.feedIsOpen) {
        stream.end('HTTP/1.1 503 Service Unavailable\r\n\r\n')
        return
      }
      const socket = new ServerSocket(request, stream, (text) => this.#hear(socket, text))
      socket.onClose(() => this.#topics.delete(socket))
    })
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(this.#options.port ?? 0, '127.0.0.1', resolve)
    })
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.cutFeed()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  cutFeed(): void {
    for (const socket of this.#topics.keys()) {
      socket.cut()
    }
    this.#topics.clear()
  }

  /** Changes a run, or adds one, and tells the feed. */
  put(row: FlowRunRow): void {
    const at = this.workspace.runs.findIndex((run) => run.id === row.id)
    if (at < 0) {
      this.workspace.runs.unshift(row)
    } else {
      this.workspace.runs[at] = row
    }
    this.#version += 1
    this.#tell({ type: 'flow_runs', version: this.#version, rows: [row] })
  }

  tellOfLogs(flowRunId: string): void {
    this.#version += 1
    this.#tell({ type: 'logs', version: this.#version, flow_run_id: flowRunId })
  }

  #tell(frame: FeedFrame): void {
    this.#frames.push(frame)
    for (const [socket, topics] of this.#topics) {
      if (concerns(frame, topics)) {
        socket.send(JSON.stringify(frame))
      }
    }
  }

  #hear(socket: ServerSocket, text: string): void {
    const frame = JSON.parse(text) as {
      type: string
      token?: string
      topics?: string[]
      since?: number | null
    }
    if (frame.type === 'auth') {
      if (frame.token === FAKE_KEY) {
        this.#topics.set(socket, [])
        socket.send(JSON.stringify({ type: 'auth_success' }))
      } else {
        socket.cut()
      }
      return
    }
    const topics = frame.topics ?? []
    this.lastSince = frame.since
    this.#topics.set(socket, topics)
    const since = frame.since ?? this.#version
    for (const missed of this.#frames.filter((each) => each.version > since)) {
      if (concerns(missed, topics)) {
        socket.send(JSON.stringify(missed))
      }
    }
    socket.send(JSON.stringify({ type: 'subscribed', version: this.#version }))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    if (!pathname.startsWith('/api/')) {
      serveStatic(this.#options.site ?? 'web/build', pathname, response)
      return
    }
    const path = pathname.slice('/api'.length)
    this.requests.push(`${request.method} ${path}`)
    const chunks: Buffer[] = []
    for await (const chunk of request) {
      chunks.push(chunk as Buffer)
    }
    response.setHeader('Content-Type', 'application/json')
    response.setHeader('X-Request-Id', 'c0ffee00-0000-4000-8000-000000000001')
    if (request.headers.authorization !== `Bearer ${FAKE_KEY}`) {
      response.writeHead(401).end(JSON.stringify({ detail: 'Unauthorized' }))
    } else if (this.broken.has(path)) {
      response.writeHead(400).end(JSON.stringify({ detail: 'the store is on fire' }))
    } else {
      const text = Buffer.concat(chunks).toString()
      const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
      const answer =
        path === '/flow_run_states/'
          ? (this.workspace.states.get(searchParams.get('flow_run_id') ?? '') ?? [])
          : this.#read(path, body)
      response.writeHead(answer === undefined ? 404 : 200)
      response.end(JSON.stringify(answer ?? { detail: 'Not Found' }))
    }
  }

  #read(path: string, body: Record<string, unknown>): unknown {
    const { workspace } = this
    const id = path.split('/')[2] ?? ''
    switch (path) {
      case '/flow_runs/rows':
        return this.#rows(body)
      case '/flow_runs/facets':
        return facets(this.#matching(body))
      case '/flow_runs/histogram':
        return histogram(this.#matching(body), body)
      case '/task_runs/filter':
        return tasksOf(workspace, body)
      case '/logs/filter':
        return logsOf(workspace, body)
      case '/work_pools/filter':
        return workspace.pools
      case '/work_pools/default':
        return workspace.pools[0]
      case '/work_pools/default/queues/filter':
        return workspace.queues
      case '/work_pools/default/workers/filter':
        return workspace.workers
      case '/deployments/filter':
        return workspace.deployments
      case '/flows/filter':
        return workspace.flows
      case '/flows/count':
        return workspace.flows.length
      default:
        return this.#change(path, id)
    }
  }

  #change(path: string, id: string): unknown {
    const run = this.workspace.runs.find((each) => each.id === id)
    if (path === `/flow_runs/${id}/set_state` && run) {
      this.put({
        ...run,
        state_type: 'CANCELLING',
        state_name: 'Cancelling',
        version: run.version + 1,
      })
      return { status: 'ACCEPT', state: null, details: { type: 'accept_details' } }
    }
    if (path === `/deployments/${id}/create_flow_run`) {
      return this.workspace.runs[1]
    }
    if (path === `/flow_runs/${id}/why` && run) {
      return {
        waiting: run.state_type === 'SCHEDULED',
        position: 1,
        rule: { kind: 'no_agent', name: 'default' },
        message: "Nobody serves work queue 'default'.",
        lifted_by: 'an agent or a worker is started for it',
      }
    }
    if (path === `/flow_runs/${id}` && run) {
      return { ...run, parameters: this.workspace.deployments[0]?.parameters, state: null }
    }
    return undefined
  }

  #matching(body: Record<string, unknown>): FlowRunRow[] {
    const filter = (body['flow_runs'] ?? {}) as FlowRunFilter
    const { after_: after, before_: before } = filter.expected_start_time ?? {}
    const pool = (body['work_pools'] as { name?: { any_?: string[] } } | undefined)?.name?.any_
    const flow = (body['flows'] as { name?: { any_?: string[] } } | undefined)?.name?.any_
    return this.workspace.runs.filter((run) => {
      const due = Date.parse(run.expected_start_time ?? run.created)
      const { type, name } = filter.state ?? {}
      const ofType = type?.any_?.some((each) => each === run.state_type)
      const ofName = name?.any_?.includes(run.state_name ?? '')
      return (
        (!filter.id?.any_ || filter.id.any_.includes(run.id)) &&
        (!after || due >= Date.parse(after)) &&
        (!before || due <= Date.parse(before)) &&
        (!filter.state || ofType === true || ofName === true) &&
        (!filter.name?.like_ || run.name.includes(filter.name.like_)) &&
        (!pool || pool.includes(run.work_pool_name ?? '')) &&
        (!flow || flow.includes(run.flow_name ?? ''))
      )
    })
  }

  #rows(body: Record<string, unknown>) {
    const all = this.#matching(body)
    const offset = Number(body['cursor'] ?? 0)
    const limit = Number(body['limit'] ?? 200)
    const next = offset + limit
    return {
      rows: all.slice(offset, next),
      next_cursor: next < all.length ? String(next) : null,
      version: this.#version,
    }
  }
}

function concerns(frame: FeedFrame, topics: string[]): boolean {
  if (frame.type === 'flow_runs') {
    return (
      topics.includes('flow_runs') ||
      frame.rows.some((row) => topics.includes(`flow_run:${row.id}`))
    )
  }
  return 'flow_run_id' in frame ? topics.includes(`flow_run:${frame.flow_run_id}`) : true
}

function facets(rows: FlowRunRow[]) {
  const count = (key: 'state_type' | 'state_name') =>
    [...Map.groupBy(rows, (row) => row[key])].map(([id, group]) => ({
      id,
      label: id,
      count: group.length,
    }))
  return {
    total: rows.length,
    facets: { state_type: count('state_type'), state_name: count('state_name') },
  }
}

function histogram(rows: FlowRunRow[], body: Record<string, unknown>) {
  const start = Date.parse(String(body['start']))
  const end = Date.parse(String(body['end']))
  const size = Number(body['buckets'])
  const width = (end - start) / size
  const buckets = Array.from({ length: size }, (_, index) => ({
    start: iso(start + index * width),
    end: iso(start + (index + 1) * width),
    counts: {} as Record<string, number>,
  }))
  for (const row of rows) {
    const due = Date.parse(row.expected_start_time ?? row.created)
    const bucket = buckets[Math.floor((due - start) / width)]
    const type = row.state_type ?? 'SCHEDULED'
    if (bucket) {
      bucket.counts[type] = (bucket.counts[type] ?? 0) + 1
    }
  }
  return { buckets }
}

function tasksOf(workspace: FakeWorkspace, body: Record<string, unknown>) {
  const filter = body['task_runs'] as { flow_run_id: { any_: string[] } }
  const tasks = workspace.tasks.get(filter.flow_run_id.any_[0] ?? '') ?? []
  const offset = Number(body['offset'] ?? 0)
  return tasks.slice(offset, offset + Number(body['limit']))
}

function logsOf(workspace: FakeWorkspace, body: Record<string, unknown>) {
  const filter = body['logs'] as LogFilter
  const { after_: after, before_: before } = filter.timestamp ?? {}
  const found = (workspace.logs.get(filter.flow_run_id?.any_?.[0] ?? '') ?? []).filter(
    (log) =>
      log.level >= (filter.level?.ge_ ?? 0) &&
      (!after || log.timestamp >= after) &&
      (!before || log.timestamp <= before) &&
      log.message.toLowerCase().includes((filter.text?.query ?? '').toLowerCase()),
  )
  if (body['sort'] === 'TIMESTAMP_DESC') {
    found.reverse()
  }
  const offset = Number(body['offset'] ?? 0)
  return found.slice(offset, offset + Number(body['limit']))
}

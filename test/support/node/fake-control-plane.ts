import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { z } from 'zod'
import {
  accept,
  type Accept,
  claim,
  type Claim,
  type ClaimedRun,
  type DoorbellFrame,
  finish,
  type Finish,
  renew,
  type Renew,
} from '../../../core/wire/execution.ts'
import { logCreate, type LogCreate } from '../../../core/wire/log.ts'
import { aClaimedRun, type ClaimedRunOverrides } from './a-claimed-run.ts'
import { ServerSocket } from './web-socket-server.ts'

type Stage = 'waiting' | 'claimed' | 'accepted' | 'ended'

/** A run as this far end knows it. */
export interface PlacedRun {
  id: string
  stage: Stage
  fence: number
  claimed: ClaimedRun
  cancelGraceSeconds: number | undefined
  ends: Finish['executions']
}

/** What a test makes the API do with a request: answer with this status, or cut the connection before or after it is done. */
export type Trouble =
  { status: number; retryAfter?: number; text?: string } | 'cut' | 'cut after' | undefined

/**
 * The far end for tests of the agent: a work pool's home over real HTTP and WebSocket, in memory. It keeps what the agent
 * relies on: a claim gives a new fence, an accept answers by it, a renewal tells keep, cancel or stop.
 */
export class FakeControlPlane {
  poolType = 'process'
  poolExists = true
  renewSeconds = 0.3
  offlineGraceSeconds = 60
  /** False: upgrade requests are answered 502, as by a proxy. */
  doorbellWorks = true
  /** Asked before each request is done. */
  trouble: (path: string) => Trouble = () => undefined
  readonly runs = new Map<string, PlacedRun>()
  readonly claims: Claim[] = []
  readonly accepts: Accept[] = []
  readonly renewals: Renew[] = []
  readonly logs: LogCreate[] = []
  readonly doorbells: { url: URL; authorization: string | undefined; socket: ServerSocket }[] = []
  pings = 0
  /** How many times a doorbell was opened. */
  connections = 0
  /** False: pings are not answered, as over a dead connection. */
  answersPings = true
  #version = 1
  #close = () => Promise.resolve()
  #port = 0
  #changed = new Set<() => void>()

  get url(): string {
    return `http://127.0.0.1:${this.#port}/api`
  }

  /** Listens on a free port from 22000 on, or on the port that it had before `stop`. */
  async start(): Promise<void> {
    const first = this.#port === 0 ? 22_000 + (process.pid % 90) * 10 : this.#port
    for (let port = first; ; port += 1) {
      const server = createServer((request, response) => void this.#receive(request, response))
      server.on('upgrade', (request, stream) => this.#upgrade(request, stream))
      const listening = await new Promise<boolean>((resolve) => {
        server.once('error', () => resolve(false))
        server.listen(port, '127.0.0.1', () => resolve(true))
      })
      if (listening) {
        this.#close = () =>
          new Promise((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          })
        this.#port = port
        return
      }
    }
  }

  /** Goes down as a killed server does; what it knows stays. */
  async stop(): Promise<void> {
    this.cutDoorbells()
    await this.#close()
  }

  cutDoorbells(): void {
    for (const { socket } of this.doorbells) {
      socket.cut()
    }
  }

  /** Makes a run claimable and rings. */
  enqueue(given: ClaimedRunOverrides = {}): PlacedRun {
    const claimed = aClaimedRun(given)
    const run: PlacedRun = {
      id: claimed.flow_run.id,
      stage: 'waiting',
      fence: claimed.fence - 1,
      claimed,
      cancelGraceSeconds: undefined,
      ends: [],
    }
    this.runs.set(run.id, run)
    this.ring()
    return run
  }

  ring(): void {
    this.#version += 1
    this.#broadcast({ type: 'work', version: this.#version })
    this.#wake()
  }

  /** The run is CANCELLING: its agent is told at the next renewal, which the doorbell and each answer to a claim ask for. */
  cancel(run: PlacedRun, graceSeconds: number, shallRing = true): void {
    run.cancelGraceSeconds = graceSeconds
    if (shallRing) {
      this.#broadcast({ type: 'renew' })
      this.#wake()
    }
  }

  /** Gives the run a new execution, as after the loss of its agent. */
  supersede(run: PlacedRun): void {
    run.stage = 'waiting'
    this.ring()
  }

  logLines(run: PlacedRun): string[] {
    return this.logs.filter((log) => log.flow_run_id === run.id).map((log) => log.message)
  }

  #broadcast(frame: DoorbellFrame): void {
    for (const { socket } of this.doorbells) {
      socket.send(JSON.stringify(frame))
    }
  }

  #wake(): void {
    for (const wake of this.#changed) {
      wake()
    }
    this.#changed.clear()
  }

  #upgrade(request: IncomingMessage, stream: Duplex): void {
    if (!this.doorbellWorks) {
      stream.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      return
    }
    const socket = new ServerSocket(request, stream, (text) => {
      if (text === 'ping') {
        this.pings += 1
        if (this.answersPings) {
          socket.send('pong')
        }
      }
    })
    const url = new URL(request.url ?? '', this.url)
    const entry = { url, authorization: request.headers.authorization, socket }
    this.doorbells.push(entry)
    this.connections += 1
    socket.onClose(() => this.doorbells.splice(this.doorbells.indexOf(entry), 1))
    if (Number(url.searchParams.get('version')) < this.#version) {
      socket.send(JSON.stringify({ type: 'work', version: this.#version }))
    }
    if (this.#held().length > 0) {
      socket.send(JSON.stringify({ type: 'renew' }))
    }
  }

  #held(): PlacedRun[] {
    return [...this.runs.values()].filter(({ stage }) => stage === 'accepted')
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.replace(/^\/api/, '') ?? ''
    const trouble = this.trouble(path)
    if (trouble === 'cut') {
      request.destroy()
      return
    }
    const text = await readAll(request)
    if (typeof trouble === 'object') {
      const headers = trouble.retryAfter === undefined ? {} : { 'Retry-After': trouble.retryAfter }
      response.writeHead(trouble.status, headers).end(trouble.text ?? '{"detail":"trouble"}')
      return
    }
    const { status, body } = await this.#answer(request.method ?? '', path, text)
    if (trouble === 'cut after') {
      response.destroy()
      return
    }
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  }

  async #answer(method: string, path: string, text: string) {
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    const verb = path.split('/').at(-1) ?? ''
    if (path.startsWith('/work_pools/') && !this.poolExists) {
      return { status: 404, body: { detail: 'Work pool not found.' } }
    }
    try {
      if (method === 'GET') {
        return { status: 200, body: { name: 'pool', type: this.poolType } }
      }
      switch (verb) {
        case 'claim':
          return { status: 200, body: await this.#claim(claim.parse(body)) }
        case 'accept':
          return { status: 200, body: this.#accept(accept.parse(body)) }
        case 'renew':
          return { status: 200, body: this.#renew(renew.parse(body)) }
        case 'finish':
          return { status: 200, body: this.#finish(finish.parse(body)) }
        default:
          this.logs.push(...z.array(logCreate).parse(body))
          return { status: 201, body: null }
      }
    } catch (error) {
      return { status: 422, body: { detail: String(error) } }
    }
  }

  async #claim(asked: Claim) {
    this.claims.push(asked)
    const waiting = () => [...this.runs.values()].filter((run) => run.stage === 'waiting')
    const isCancelling = () =>
      [...this.runs.values()].some(
        ({ stage, cancelGraceSeconds }) => stage === 'accepted' && cancelGraceSeconds !== undefined,
      )
    if (waiting().length === 0 && !isCancelling() && (asked.wait_seconds ?? 0) > 0) {
      await new Promise<void>((resolve) => {
        this.#changed.add(resolve)
        setTimeout(resolve, (asked.wait_seconds ?? 0) * 1000).unref()
      })
    }
    const taken = waiting().slice(0, asked.limit)
    for (const run of taken) {
      run.stage = 'claimed'
      run.fence += 1
    }
    return {
      runs: taken.map((run) => ({ ...run.claimed, fence: run.fence })),
      renew: isCancelling(),
      version: this.#version,
      accept_seconds: 15,
      lease_seconds: 30,
      renew_seconds: this.renewSeconds,
      offline_grace_seconds: this.offlineGraceSeconds,
    }
  }

  #accept(asked: Accept) {
    this.accepts.push(asked)
    return {
      results: asked.executions.map(({ flow_run_id, fence }) => {
        const run = this.runs.get(flow_run_id)
        const isCurrent = run?.fence === fence && run.stage !== 'waiting' && run.stage !== 'ended'
        if (isCurrent && run !== undefined) {
          run.stage = 'accepted'
        }
        return { flow_run_id, fence, answer: isCurrent ? 'go' : 'stop', reason: null }
      }),
    }
  }

  #renew(asked: Renew) {
    this.renewals.push(asked)
    const named = new Set(asked.executions.map(({ flow_run_id }) => flow_run_id))
    const missing = this.#held()
      .filter(({ id }) => !named.has(id))
      .map(({ id, fence }) => ({ flow_run_id: id, fence }))
    return {
      ...(asked.reconcile === true ? { missing } : {}),
      lease_seconds: 30,
      renew_seconds: this.renewSeconds,
      offline_grace_seconds: this.offlineGraceSeconds,
      results: asked.executions.map(({ flow_run_id, fence }) => {
        const run = this.runs.get(flow_run_id)
        const isCurrent = run?.fence === fence && run.stage === 'accepted'
        const grace = run?.cancelGraceSeconds
        const kept = grace === undefined ? 'keep' : 'cancel'
        const answer = isCurrent ? kept : 'stop'
        return { flow_run_id, fence, answer, grace_seconds: grace ?? null, reason: null }
      }),
    }
  }

  #finish(asked: Finish) {
    return {
      results: asked.executions.map((end) => {
        const run = this.runs.get(end.flow_run_id)
        const isCurrent = run?.fence === end.fence && run.stage !== 'ended'
        run?.ends.push(end)
        if (isCurrent && run !== undefined) {
          run.stage = 'ended'
        }
        const { flow_run_id, fence } = end
        return { flow_run_id, fence, answer: isCurrent ? 'ended' : 'stale', state: null }
      }),
    }
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) {
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json } from '../../../core/wire/common.ts'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import { type Answer, type Call, fakeRoutes, Refusal, refuse } from './fake-routes.ts'
import { FakeStore } from './fake-store.ts'
import { aDeployment } from './wire-objects.ts'

export interface FakeRequest {
  method: string
  /** Without the `/api`. */
  path: string
  body: unknown
  authorization: string | undefined
}

/** What a test lets the API do with a request instead of answering it. */
export type Fault =
  | { status: number; body?: Json; headers?: Record<string, string> }
  /** Cut the connection without an answer. */
  | 'cut'
  /** Do what was asked, then cut the connection. */
  | 'cut after'

/** The far end for tests of the SDK and the command line: the API's routes over real HTTP, kept in memory. */
export class FakeApi extends FakeStore {
  readonly key = 'hg_0123456789abcdef'
  readonly requests: FakeRequest[] = []
  /** Asked before each request is answered. */
  fault: (request: FakeRequest) => Fault | undefined = () => undefined
  #routes = fakeRoutes(this)
  #server = createServer((request, response) => void this.#receive(request, response))

  /** Listens and gives the API's address. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve)
    })
    return this.url
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** The environment that leads a process here. */
  environment(): Record<string, string> {
    return { HEADGATE_API_URL: this.url, HEADGATE_API_KEY: this.key }
  }

  /** What the agent writes for a run's process. */
  contextOf(run: FlowRun, entrypoint: string | null = null): Json {
    const deployment =
      entrypoint === null ? null : aDeployment({ flow_id: run.flow_id, name: 'd', entrypoint })
    const flow = this.flows.find(({ id }) => id === run.flow_id) ?? null
    return { flow_run: run, fence: 1, flow, deployment, job_configuration: {} } as unknown as Json
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) {
      chunks.push(chunk as Buffer)
    }
    const text = Buffer.concat(chunks).toString()
    const url = new URL(request.url ?? '/', 'http://fake')
    const received: FakeRequest = {
      method: request.method ?? '',
      path: url.pathname.replace(/^\/api/, ''),
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
      authorization: request.headers.authorization,
    }
    this.requests.push(received)
    const fault = this.fault(received)
    if (fault === 'cut') {
      request.socket.destroy()
      return
    }
    const answer = typeof fault === 'object' ? fault : this.#answer(received, url)
    if (fault === 'cut after') {
      request.socket.destroy()
      return
    }
    const headers = typeof fault === 'object' ? fault.headers : undefined
    response.writeHead(answer.status, { 'Content-Type': 'application/json', ...headers })
    response.end(answer.status === 204 ? undefined : JSON.stringify(answer.body ?? null))
  }

  #answer(request: FakeRequest, url: URL): Answer {
    if (request.authorization !== `Bearer ${this.key}`) {
      return refuse(401, 'Unauthorized')
    }
    const line = `${request.method} ${request.path}`
    for (const [pattern, handle] of this.#routes) {
      const match = pattern.exec(line)
      if (match !== null) {
        const parts = match.slice(1).map((part) => decodeURIComponent(part))
        return answerOf(handle, { body: request.body, url, parts })
      }
    }
    return refuse(404, 'Not Found')
  }
}

function answerOf(handle: (call: Call) => Answer, call: Call): Answer {
  try {
    return handle(call)
  } catch (error) {
    if (error instanceof Refusal) {
      return error.answer
    }
    throw error
  }
}

import { once } from 'node:events'
import {
  Agent,
  createServer,
  request as forward,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { Random } from './random.ts'

/** How often what happens to a request; the rest passes unharmed. */
export interface Weather {
  /** Cut before the server has heard of it. */
  dropped: number
  /** The server does it, and its answer is lost. */
  unanswered: number
  /** The answer breaks off in its middle. */
  torn: number
  delayed: number
  /** The server hears it twice at once; one of the answers is passed on. */
  doubled: number
  /** Another copy arrives much later, when everybody has gone on. */
  echoed: number
}

export const FAIR: Weather = {
  dropped: 0,
  unanswered: 0,
  torn: 0,
  delayed: 0,
  doubled: 0,
  echoed: 0,
}
export const FOUL: Weather = {
  dropped: 0.04,
  unanswered: 0.04,
  torn: 0.02,
  delayed: 0.08,
  doubled: 0.05,
  echoed: 0.03,
}

const DELAY_MS = 2500
const ECHO_MS = 12_000

/** One request as the server had it. Epoch milliseconds. */
export interface Exchange {
  method: string
  path: string
  body: string
  sent: number
  /** The server's whole answer; undefined when the proxy never had it. */
  answered?: { at: number; status: number; body: string }
}

interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

/** Stands between agents or clients and the server, notes what the server really heard and said, and harms what passes. */
export class FaultyProxy {
  readonly port: number
  readonly exchanges: Exchange[] = []
  /** Requests that came to the server. */
  passed = 0
  weather: Weather = FAIR
  readonly #target: number
  readonly #random: Random
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()
  readonly #keepAlive = new Agent({ keepAlive: true })
  readonly #isKept: (path: string) => boolean
  #isCutOff = false

  private constructor(server: Server, options: ProxyOptions) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    this.#target = options.target
    this.#random = options.random
    this.#isKept = options.keeps
    server.on('connection', (socket: Socket) => this.#hold(socket))
    server.on('request', (request, response) => {
      this.#pass(request, response).catch(() => response.destroy())
    })
    server.on('upgrade', (request, socket, head) => this.#tunnel(request, socket, head))
  }

  static async start(options: ProxyOptions): Promise<FaultyProxy> {
    const server = createServer()
    server.listen(options.port, '127.0.0.1')
    await once(server, 'listening')
    return new FaultyProxy(server, options)
  }

  /** Nothing passes in either direction, and nobody is told: packets that get lost. */
  cutOff(): void {
    this.#isCutOff = true
    for (const socket of this.#sockets) {
      socket.pause()
    }
  }

  /** What was open is broken off; what comes from now on passes. */
  heal(): void {
    this.#isCutOff = false
    this.cutAll()
  }

  /** Breaks off all that is under way, WebSockets above all. */
  cutAll(): void {
    for (const socket of this.#sockets) {
      socket.destroy()
    }
  }

  async close(): Promise<void> {
    this.cutAll()
    this.#keepAlive.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #hold(socket: Duplex): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request)
    const fate = this.#fate()
    if (fate.dropped || this.#isCutOff) {
      await this.#loseIt(response)
      return
    }
    if (fate.delayed) {
      await wait(this.#random.between(50, DELAY_MS))
    }
    if (fate.echoed) {
      void this.#echo(request, body)
    }
    const copies = fate.doubled
      ? [this.#ask(request, body), this.#ask(request, body)]
      : [this.#ask(request, body)]
    const [answer] = await Promise.all(copies)
    if (answer === undefined || fate.unanswered || this.#isCutOff) {
      await this.#loseIt(response)
      return
    }
    response.writeHead(answer.status, withoutHopHeaders(answer.headers))
    if (fate.torn && answer.body.length > 1) {
      response.write(answer.body.subarray(0, Math.floor(answer.body.length / 2)), () =>
        response.destroy(),
      )
      return
    }
    response.end(answer.body)
  }

  /** Cut off means silence: the caller finds out by its own deadline, or when all is cut. */
  async #loseIt(response: ServerResponse): Promise<void> {
    if (!this.#isCutOff) {
      response.destroy()
    }
  }

  async #echo(request: IncomingMessage, body: Buffer): Promise<void> {
    await wait(this.#random.between(1000, ECHO_MS), undefined, { ref: false })
    if (!this.#isCutOff) {
      await this.#ask(request, body)
    }
  }

  #fate(): Record<keyof Weather, boolean> {
    const { dropped, unanswered, torn, delayed, doubled, echoed } = this.weather
    const random = this.#random
    return {
      dropped: random.chance(dropped),
      unanswered: random.chance(unanswered),
      torn: random.chance(torn),
      delayed: random.chance(delayed),
      doubled: random.chance(doubled),
      echoed: random.chance(echoed),
    }
  }

  /** @returns undefined when the server does not answer */
  #ask(incoming: IncomingMessage, body: Buffer): Promise<Answer | undefined> {
    const path = incoming.url ?? '/'
    const exchange: Exchange = {
      method: incoming.method ?? 'GET',
      path,
      body: '',
      sent: Date.now(),
    }
    this.passed += 1
    if (this.#isKept(path)) {
      exchange.body = body.toString()
      this.exchanges.push(exchange)
    }
    return new Promise((resolve) => {
      const lost = () => resolve(undefined)
      const outgoing = forward(
        {
          port: this.#target,
          host: '127.0.0.1',
          method: exchange.method,
          path,
          headers: { ...withoutHopHeaders(incoming.headers), 'content-length': body.length },
          agent: this.#keepAlive,
        },
        (answer) => {
          answer.on('error', lost)
          readAll(answer)
            .then((bytes) => {
              const status = answer.statusCode ?? 0
              const text = this.#isKept(path) ? bytes.toString() : ''
              exchange.answered = { at: Date.now(), status, body: text }
              return resolve({ status, headers: answer.headers, body: bytes })
            })
            .catch(lost)
        },
      )
      outgoing.on('error', lost)
      outgoing.end(body)
    })
  }

  /** A WebSocket is passed on byte by byte, until it is cut. */
  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#hold(socket)
    if (this.#isCutOff || this.#random.chance(this.weather.dropped)) {
      socket.destroy()
      return
    }
    const upstream = connect(this.#target, '127.0.0.1', () => {
      const lines = Object.entries(request.headers).map(
        ([name, value]) => `${name}: ${String(value)}\r\n`,
      )
      upstream.write(
        `${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/1.1\r\n${lines.join('')}\r\n`,
      )
      upstream.write(head)
      upstream.pipe(socket)
      socket.pipe(upstream)
    })
    this.#hold(upstream)
    socket.on('close', () => upstream.destroy())
    upstream.on('close', () => socket.destroy())
  }
}

interface ProxyOptions {
  /** 0: any that is free. */
  port: number
  target: number
  random: Random
  /** Whether what is said at this address is kept as evidence. */
  keeps: (path: string) => boolean
}

async function readAll(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks)
}

function withoutHopHeaders(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  // Without `accept-encoding` what is kept can be read.
  const ownOfEachHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'accept-encoding'])
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ownOfEachHop.has(name)))
}

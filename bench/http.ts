import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** SQLite may be locked for seconds. Shorter than what real clients wait: this must not slow the peer down. */
const RETRY_MS = 50
const MAX_ATTEMPTS = 400

export interface Answer<T> {
  status: number
  body: T
}

/**
 * Requests on connections that are kept open, by Node's plain HTTP client: `fetch` takes several times the processor time,
 * on the cores that the servers are measured on.
 */
export class Http {
  readonly #base: URL
  readonly #headers: Record<string, string>
  readonly #agent: Agent

  constructor(base: string, headers: Record<string, string> = {}, connections = 64) {
    this.#base = new URL(base.endsWith('/') ? base : `${base}/`)
    this.#headers = headers
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  /** Sends and reads JSON; asks again where the server is too busy, as clients do. @throws Error on any other status from 400 on */
  async json<T>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    let answer = await this.send(method, path, body, headers)
    for (let attempt = 1; answer.status === 503 && attempt < MAX_ATTEMPTS; attempt += 1) {
      await sleep(RETRY_MS)
      answer = await this.send(method, path, body, headers)
    }
    const { status, body: text } = answer
    if (status >= 400) {
      throw new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`)
    }
    return (text === '' ? null : JSON.parse(text)) as T
  }

  send(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<string>> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const sent = request(
        new URL(path.replace(/^\//, ''), this.#base).href,
        {
          method,
          agent: this.#agent,
          headers: {
            ...this.#headers,
            ...headers,
            ...(text === undefined
              ? {}
              : {
                  'Content-Type': 'application/json',
                  'Content-Length': Buffer.byteLength(text),
                }),
          },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
          })
        },
      )
      sent.on('error', (error) => {
        // The server had just ended the connection as too long idle, and has not seen the request.
        if (sent.reusedSocket && 'code' in error && error.code === 'ECONNRESET') {
          resolve(this.send(method, path, body, headers))
        } else {
          reject(error)
        }
      })
      sent.end(text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

import { Agent, request } from 'node:http'

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

  /** Sends and reads JSON. @throws Error on any status from 400 on */
  async json<T>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const { status, body: text } = await this.send(method, path, body, headers)
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
      sent.on('error', reject)
      sent.end(text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

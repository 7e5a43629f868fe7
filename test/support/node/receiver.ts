import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { RECEIVER } from '../provided.ts'

interface Received {
  method: string
  path: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

/**
 * The far end of notifications: keeps what it is sent under `/keep/<name>` and tells it under `/kept/<name>`; answers as its
 * other paths say.
 */
export default async function setup(project: TestProject): Promise<() => void> {
  const kept = new Map<string, Received[]>()
  const server = createServer((request, response) => {
    void receive(request, response, kept)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  project.provide(RECEIVER, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return () => {
    server.closeAllConnections()
    server.close()
  }
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  kept: Map<string, Received[]>,
): Promise<void> {
  const path = request.url ?? '/'
  const [, verb, ...rest] = (path.split('?')[0] ?? '').split('/')
  const [first = ''] = rest
  const chunks: Buffer[] = []
  for await (const chunk of request) {
    chunks.push(chunk as Buffer)
  }
  const { method = '', headers } = request
  switch (verb) {
    case 'kept':
      response.end(JSON.stringify(kept.get(first) ?? []))
      return
    case 'status':
      response.statusCode = Number(first)
      response.end('no, thanks')
      return
    case 'redirect': {
      const { searchParams } = new URL(path, 'http://receiver')
      response.statusCode = Number(first)
      response.setHeader('Location', searchParams.get('to') ?? '')
      response.end()
      return
    }
    case 'loop':
      response.statusCode = 302
      response.setHeader('Location', '/loop')
      response.end()
      return
    case 'silent':
      return
    case 'endless': {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000))) {
          // Until its reader has had enough.
        }
      }
      response.on('drain', more)
      more()
      return
    }
    default: {
      const body = Buffer.concat(chunks).toString()
      // Mattermost's addresses have their name behind another folder.
      const name = rest.at(-1) ?? ''
      kept.set(name, [...(kept.get(name) ?? []), { method, path, headers, body }])
      response.setHeader('X-Answer', 'yes')
      response.setHeader('Set-Cookie', 'a=b')
      response.end('thanks')
    }
  }
}

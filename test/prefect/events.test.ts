import { describe, expect, test } from 'vitest'
import { aPrefect, SOCKETS_SEND_KEY } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()

const EMIT = `
import sys
from prefect.events import emit_event
for name in sys.argv[1:]:
    emit_event(name, resource={"prefect.resource.id": "my.thing", "color": "red"}, payload={"n": 1})
`

/** Emits by the client itself, so that what it is refused with is seen. */
const EMIT_PLAINLY = `
import asyncio, sys
from prefect.events import Event
from prefect.events.clients import get_events_client

async def main():
    async with get_events_client() as client:
        await client.emit(Event(event=sys.argv[1], resource={"prefect.resource.id": "my.thing"}))

asyncio.run(main())
`

const SUBSCRIBE = `
import asyncio, sys
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

async def main():
    filter = EventFilter(event=EventNameFilter(prefix=[sys.argv[1]]))
    async with get_events_subscriber(filter=filter) as subscriber:
        print("listening", flush=True)
        async for event in subscriber:
            print(event.event, event.resource.get("color"), flush=True)
            if event.event.endswith(".last"):
                return

asyncio.run(main())
`

const FOLLOW_LOGS = `
import asyncio, sys
from uuid import UUID
from prefect.logging.clients import get_logs_subscriber
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

async def main():
    filter = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(sys.argv[1])]))
    async with get_logs_subscriber(filter=filter) as subscriber:
        print("listening", flush=True)
        async for log in subscriber:
            print(log.level, log.message, flush=True)
            return

asyncio.run(main())
`

async function countOf(name: string): Promise<number> {
  return (await prefect.client.filterEvents({ filter: { event: { name: [name] } } })).total
}

describe('the key reaches the sockets', () => {
  const forms: [name: string, settings: (url: string, key: string) => Record<string, string>][] = [
    ['in the address', (url, key) => ({ PREFECT_API_URL: url.replace('://', `://${key}:x@`) })],
    [
      'as auth string, beside the API key',
      (url, key) => ({
        PREFECT_API_URL: url,
        PREFECT_API_AUTH_STRING: key,
        PREFECT_API_KEY: key,
        // What a profile for an older client needs beside it.
        ...(SOCKETS_SEND_KEY
          ? {}
          : {
              PREFECT_CLIENT_CUSTOM_HEADERS: JSON.stringify({ Authorization: `Bearer ${key}` }),
            }),
      }),
    ],
    [
      'in a header of the client',
      (url, key) => ({
        PREFECT_API_URL: url,
        PREFECT_CLIENT_CUSTOM_HEADERS: JSON.stringify({ Authorization: `Bearer ${key}` }),
      }),
    ],
    [
      'as API key, when the client takes the server for its cloud',
      (url, key) => ({ PREFECT_API_URL: url, PREFECT_CLOUD_API_URL: url, PREFECT_API_KEY: key }),
    ],
  ]

  test.each(forms)('%s', async (name, settings) => {
    const { api_url, api_key } = prefect.server.addresses
    const home = prefect.sandbox.path(`home ${name}`)
    prefect.profile(settings(api_url, api_key), home)
    const event = `form.${name}`
    const { code, stderr } = await prefect.python(EMIT_PLAINLY, [event], {
      env: { PREFECT_HOME: home },
    })
    expect(stderr).not.toContain('Error')
    expect(code).toBe(0)
    expect(await countOf(event)).toBe(1)
  })

  test.runIf(SOCKETS_SEND_KEY)(
    'the API key alone does not, and the client says what to set',
    async () => {
      const { api_url, api_key } = prefect.server.addresses
      const home = prefect.sandbox.path('home with key')
      prefect.profile({ PREFECT_API_URL: api_url, PREFECT_API_KEY: api_key }, home)
      const { code, stderr } = await prefect.python(EMIT_PLAINLY, ['form.key'], {
        env: { PREFECT_HOME: home },
      })
      expect(code).toBe(1)
      expect(stderr).toContain('set PREFECT_API_AUTH_STRING to the key')
      expect(await countOf('form.key')).toBe(0)
    },
  )
})

test('what a process emits is kept when it has ended, and reaches who listens', async () => {
  const stream = prefect.spawn(['event', 'stream', '--format', 'json'])
  const listener = prefect.spawnPython(SUBSCRIBE, ['mine.'])
  await listener.says('listening')
  const names = ['mine.first', 'other', 'mine.last']
  expect((await prefect.python(EMIT, names)).code).toBe(0)
  expect(await Promise.all(names.map(countOf))).toEqual([1, 1, 1])
  expect((await listener.outcome()).stdout.split('\n').filter(Boolean)).toEqual([
    'listening',
    'mine.first red',
    'mine.last red',
  ])
  await stream.says('mine.last')
  expect(stream.stdout).toContain('"event":"other"')
  await stream.stop()
})

test('a listener that comes later is told of the last minute', async () => {
  expect((await prefect.python(EMIT, ['before.last'])).code).toBe(0)
  const { stdout } = await prefect.python(SUBSCRIBE, ['before.'])
  expect(stdout).toContain('before.last red')
})

test('lines of a run reach who follows it', async () => {
  const id = crypto.randomUUID()
  const follower = prefect.spawnPython(FOLLOW_LOGS, [id])
  await follower.says('listening')
  const line = { name: 'x', level: 30, timestamp: new Date().toISOString() }
  // It says that it listens before it has said what to.
  await until('the line arrives', async () => {
    await prefect.client.createLogs([{ ...line, message: 'hello', flow_run_id: id }])
    return follower.stdout.includes('30 hello')
  })
  expect((await follower.outcome()).code).toBe(0)
})

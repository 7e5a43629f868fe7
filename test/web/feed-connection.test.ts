import { afterEach, beforeEach, expect, it } from 'vitest'
import type { FeedFrame } from '#core/wire/feed.ts'
import { FeedConnection, type FeedStatus } from '#lib/feed-connection.ts'
import { FAKE_KEY, FakeConsoleApi } from '../support/node/fake-console-api.ts'

let api: FakeConsoleApi
let connection: FeedConnection
let statuses: FeedStatus[]
let frames: FeedFrame[]

beforeEach(async () => {
  api = new FakeConsoleApi({ runs: 5, logLines: 0 })
  await api.start()
  statuses = []
  frames = []
  connection = new FeedConnection({
    url: `${api.url.replace('http', 'ws')}/api/feed`,
    token: FAKE_KEY,
    random: () => 0,
    onStatus: (status) => statuses.push(status),
    onFrame: (frame) => frames.push(frame),
  })
})

afterEach(async () => {
  connection.close()
  await api.stop()
})

async function until(check: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!check()) {
    if (performance.now() > deadline) {
      throw new Error(`not in 10 s; statuses: ${statuses.join(', ')}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const rowsOf = () =>
  frames
    .flatMap((frame) => (frame.type === 'flow_runs' ? frame.rows : []))
    .map((row) => row.version)

function change(version: number): void {
  const [row] = api.workspace.runs
  if (row) {
    api.put({ ...row, version })
  }
}

it('brings what changes after the version that the screen was read at', async () => {
  change(2)
  connection.subscribe(['flow_runs'], 1)
  connection.open()
  await until(() => rowsOf().includes(2))
  change(3)
  await until(() => rowsOf().includes(3))
  expect(statuses).toStrictEqual(['connecting', 'live'])
})

it('brings, after a cut, what it missed, and asks only for that', async () => {
  connection.subscribe(['flow_runs'], 1)
  connection.open()
  await until(() => frames.some((frame) => frame.type === 'subscribed'))
  change(2)
  await until(() => rowsOf().includes(2))
  api.feedIsOpen = false
  api.cutFeed()
  await until(() => statuses.at(-1) === 'reconnecting')
  change(3)
  api.feedIsOpen = true
  await until(() => rowsOf().includes(3))
  expect(rowsOf()).toStrictEqual([2, 3])
  expect(api.lastSince).toBe(2)
})

it('hears only of its topics', async () => {
  connection.subscribe([`flow_run:${api.workspace.runs[1]?.id ?? ''}`], 1)
  connection.open()
  await until(() => frames.some((frame) => frame.type === 'subscribed'))
  change(2)
  const followed = api.workspace.runs[1]
  if (followed) {
    api.put({ ...followed, version: 7 })
  }
  await until(() => rowsOf().includes(7))
  expect(rowsOf()).toStrictEqual([7])
})

it('stays closed when it was closed', async () => {
  connection.open()
  await until(() => statuses.at(-1) === 'live')
  connection.close()
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(statuses.at(-1)).toBe('closed')
})

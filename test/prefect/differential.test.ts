import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type LocalServer } from '../../worker/local/server.ts'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { ANSWER_DIFFERENCES } from './accepted-differences.ts'
import { scenarios } from './calls/index.ts'
import { compare } from './differential/compare.ts'
import { play } from './differential/player.ts'
import { PrefectServer } from './differential/prefect-server.ts'

const sandbox = new Sandbox()
const seen = new Set<RegExp>()
let prefect: PrefectServer
let headgate: LocalServer

beforeAll(async () => {
  const port = 27_000 + randomInt(0, 100) * 20
  ;[prefect, headgate] = await Promise.all([
    PrefectServer.start(await freePort(port)),
    freePort(port + 10).then((free) => startServer({ state: sandbox.path('state'), port: free })),
  ])
})

afterAll(async () => {
  await Promise.all([prefect?.stop(), headgate?.stop()])
  await sandbox.dispose()
})

/**
 * Both are sent the same calls at the same time, each scenario to a server that holds nothing. What either does beside the
 * requests may come a moment late, but not twice.
 */
test.for(scenarios)('$name: both servers answer the same', { retry: 1 }, async (scenario) => {
  prefect.clear()
  const key = await headgate.addWorkspace(scenario.name)
  const now = Math.floor(Date.now() / 1000) * 1000
  const [theirs, ours] = await Promise.all([
    play({ url: prefect.url, headers: {} }, scenario, now),
    play({ url: headgate.api_url, headers: { Authorization: `Bearer ${key}` } }, scenario, now),
  ])
  const unexplained = compare(scenario, theirs, ours).filter((line) => {
    const accepted = ANSWER_DIFFERENCES.filter(({ where }) => where.test(line))
    accepted.forEach(({ where }) => seen.add(where))
    return accepted.length === 0
  })
  expect(unexplained).toEqual([])
})

test('there are at least 300 calls', () => {
  expect(scenarios.flatMap(({ calls }) => calls).length).toBeGreaterThan(300)
})

test('every difference that is accepted is still one', () => {
  const gone = ANSWER_DIFFERENCES.filter(
    ({ where, sometimes }) => sometimes !== true && !seen.has(where),
  )
  expect(gone.map(({ where }) => String(where))).toEqual([])
})

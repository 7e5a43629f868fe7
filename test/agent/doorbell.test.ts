import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { agentLog } from '../../agent/agent-log.ts'
import { Doorbell } from '../../agent/doorbell.ts'
import { Client } from '../../core/client.ts'
import { newUuid } from '../support/node/wire-objects.ts'
import { FakeControlPlane } from '../support/node/fake-control-plane.ts'
import { until } from '../support/node/until.ts'

let plane: FakeControlPlane
let stop: AbortController
let renewals: number
const said: string[] = []

beforeEach(async () => {
  plane = new FakeControlPlane()
  stop = new AbortController()
  renewals = 0
  await plane.start()
})

afterEach(async () => {
  stop.abort()
  await plane.stop()
})

function aDoorbell(version = () => 1): Doorbell {
  const doorbell = new Doorbell({
    client: new Client({ apiUrl: plane.url, apiKey: 'key' }),
    log: agentLog({ json: false, write: (line) => said.push(line) }),
    pool: 'pool',
    queues: undefined,
    agentId: newUuid(),
    agentName: 'bell',
    onRenew: () => {
      renewals += 1
    },
    signal: stop.signal,
    pingMs: 100,
  })
  void doorbell.run(version)
  return doorbell
}

describe('the doorbell', () => {
  test('tells rings and renewals; what it does not know it leaves alone', async () => {
    const doorbell = aDoorbell()
    await until('it is open', () => doorbell.isOpen)
    expect(doorbell.hasRung).toBe(false)
    for (const text of ['no JSON', '{"type":"dance"}', '{"type":"work"}', '{"type":"renew"}']) {
      plane.doorbells[0]?.socket.send(text)
    }
    await until('the renewal came', () => renewals === 1)
    expect(doorbell.hasRung).toBe(false)
    plane.ring()
    await doorbell.waitUntil(() => doorbell.hasRung, 5000, stop.signal)
    expect(doorbell.hasRung).toBe(true)
    doorbell.forgetRings()
    expect(doorbell.hasRung).toBe(false)
  })

  test('rings at once when something has happened since the version that it is opened with', async () => {
    plane.ring()
    const doorbell = aDoorbell(() => 1)
    await until('it rings', () => doorbell.hasRung)
    expect(doorbell.isOpen).toBe(true)
  })

  test('stays open as long as pings are answered', async () => {
    const doorbell = aDoorbell()
    await until('pings were sent', () => plane.pings >= 6)
    expect(doorbell.isOpen).toBe(true)
    expect(plane.connections).toBe(1)
  })

  test('is opened anew when two pings were not answered', async () => {
    const doorbell = aDoorbell()
    plane.answersPings = false
    await until('it was closed and opened', () => plane.connections === 2)
    plane.answersPings = true
    await until('it is open', () => doorbell.isOpen)
    expect(plane.pings).toBeGreaterThanOrEqual(2)
  })

  test('is tried again and again, ever more rarely, where it is refused, and says so once', async () => {
    plane.doorbellWorks = false
    const doorbell = aDoorbell()
    await until('it has said so', () => said.some((line) => line.includes('long poll')))
    await wait(500)
    expect(said.filter((line) => line.includes('long poll')).length).toBe(1)
    expect(doorbell.isOpen).toBe(false)
    plane.doorbellWorks = true
    await until('it is open', () => doorbell.isOpen)
    expect(plane.connections).toBe(1)
  })

  test('ends with the signal', async () => {
    const doorbell = aDoorbell()
    await until('it is open', () => doorbell.isOpen)
    stop.abort()
    await until('it is closed', () => plane.doorbells.length === 0)
    expect(doorbell.isOpen).toBe(false)
  })
})

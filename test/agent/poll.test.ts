import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { AgentFixture, hasEnded, LONG, shell, STUBBORN } from '../support/node/agent-fixture.ts'
import { AGENT_KEY } from '../support/node/agent-process.ts'
import { until } from '../support/node/until.ts'

const fixture = new AgentFixture()

describe('claims', () => {
  test('wait at the doorbell, with the key as a header, and come at once when it rings', async () => {
    await fixture.startAgent({ queues: ['high', 'low'] })
    await fixture.isWaiting()
    const [bell] = fixture.plane.doorbells
    expect(bell?.authorization).toBe(`Bearer ${AGENT_KEY}`)
    expect(bell?.url.searchParams.getAll('queue')).toEqual(['high', 'low'])
    expect(bell?.url.searchParams.get('version')).toBe('1')
    await wait(500)
    const before = fixture.plane.claims.length
    expect(before).toBeLessThanOrEqual(2)
    expect(fixture.plane.claims[0]).toMatchObject({ work_queue_names: ['high', 'low'] })
    const at = performance.now()
    const run = fixture.plane.enqueue(shell('true'))
    await until('it is accepted', () => run.stage === 'accepted', 2000)
    expect(performance.now() - at).toBeLessThan(1000)
    await hasEnded(run)
  })

  test('ask for no more than there is room, and again as soon as there is some', async () => {
    await fixture.startAgent({ limit: 2 })
    const first = fixture.plane.enqueue(shell(LONG))
    const second = fixture.plane.enqueue(shell(LONG))
    const third = fixture.plane.enqueue(shell('echo third'))
    await Promise.all([fixture.processOf(first), fixture.processOf(second)])
    await wait(300)
    expect(third.stage).toBe('waiting')
    expect(fixture.plane.claims.every(({ limit }) => limit <= 2)).toBe(true)
    fixture.plane.cancel(first, 20)
    await hasEnded(third)
    expect(second.stage).toBe('accepted')
  })

  test('take many runs in one claim and one accept', async () => {
    const runs = Array.from({ length: 12 }, () => fixture.plane.enqueue(shell('sleep 0.2')))
    await fixture.startAgent()
    await hasEnded(...runs)
    expect(fixture.plane.accepts.map(({ executions }) => executions.length)).toEqual([12])
  })

  test('are long polls where WebSockets do not get through', async () => {
    fixture.plane.doorbellWorks = false
    await fixture.startAgent()
    await until('it long-polls', () => fixture.plane.claims.at(-1)?.wait_seconds === 25)
    const run = fixture.plane.enqueue(shell('true'))
    await hasEnded(run)
    expect(fixture.plane.connections).toBe(0)
  })

  test('that are long polls say as well when to renew, and are not repeated in haste then', async () => {
    fixture.plane.doorbellWorks = false
    fixture.plane.renewSeconds = 60
    await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(STUBBORN))
    await fixture.processOf(run)
    await until('it long-polls', () => fixture.plane.claims.at(-1)?.wait_seconds === 25)
    const before = fixture.plane.claims.length
    fixture.plane.cancel(run, 2)
    await hasEnded(run)
    expect(run.ends[0]).toMatchObject({ signal: 'SIGKILL' })
    expect(fixture.plane.claims.length - before).toBeLessThan(5)
    expect(fixture.plane.connections).toBe(0)
  })

  test('come back to the doorbell after the connection is cut', async () => {
    await fixture.startAgent()
    await fixture.isWaiting()
    fixture.plane.doorbells[0]?.socket.cut()
    await until('it is open again', () => fixture.plane.connections === 2)
    const run = fixture.plane.enqueue(shell('true'))
    await hasEnded(run)
    expect(fixture.plane.connections).toBe(2)
  })
})

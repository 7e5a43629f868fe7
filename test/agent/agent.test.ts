import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { AgentFixture, hasEnded, shell } from '../support/node/agent-fixture.ts'
import { until } from '../support/node/until.ts'

const fixture = new AgentFixture()

describe('the API', () => {
  test('may be down when the agent starts, and come later', async () => {
    await fixture.plane.stop()
    const agent = await fixture.startAgent()
    await agent.says('trying again')
    await fixture.plane.start()
    const run = fixture.plane.enqueue(shell('exit 2'))
    await hasEnded(run)
    expect(run.ends[0]).toMatchObject({ exit_code: 2 })
  })

  test('may fail in every way for a while; the end of a run is told when it is back', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell('echo up; sleep 1; echo down'))
    await fixture.hasSaid(run, 'up')
    const troubles = ['cut', { status: 500 }, { status: 503, retryAfter: 1 }] as const
    let count = 0
    fixture.plane.trouble = () => troubles[(count += 1) % troubles.length]
    await until('it has run into trouble', () => count > 8)
    // A captive portal: a page with a status that would be the end of the agent if the API had said it.
    fixture.plane.trouble = () => ({ status: 403, text: '<html>please log in</html>' })
    await wait(2500)
    fixture.plane.trouble = () => undefined
    await hasEnded(run)
    await until('all of the output is there', () => fixture.plane.logLines(run).length === 2)
    expect(fixture.plane.logLines(run)).toEqual(['up', 'down'])
    expect(run.ends[0]).toMatchObject({ exit_code: 0 })
    expect(agent.said).toContain('trying again')
  })

  test.each([
    [401, 4, 'does not accept the key'],
    [403, 6, 'may not serve'],
    [426, 8, 'too old'],
    [410, 9, 'gone'],
  ])('ends the agent with %i: exit code %i', async (status, code, words) => {
    fixture.plane.trouble = () => ({ status })
    const agent = await fixture.startAgent()
    expect(await agent.exit()).toBe(code)
    expect(agent.said).toContain(words)
  })

  test('a pool that does not exist is told with what to do', async () => {
    fixture.plane.poolExists = false
    const agent = await fixture.startAgent()
    expect(await agent.exit()).toBe(3)
    expect(agent.said).toContain('headgate work-pool create pool')
  })

  test('a pool that vanishes later is waited for', async () => {
    const agent = await fixture.startAgent()
    await fixture.isWaiting()
    fixture.plane.poolExists = false
    fixture.plane.cutDoorbells()
    await agent.says('cannot claim runs')
    fixture.plane.poolExists = true
    const run = fixture.plane.enqueue(shell('exit 2'))
    await hasEnded(run)
    expect(run.ends[0]).toMatchObject({ exit_code: 2 })
  })

  test('a pool that is deleted is served no more: what runs is brought to its end, then the agent ends', async () => {
    const agent = await fixture.startAgent()
    const go = join(agent.home, 'go')
    const waits = `echo $$; while [ ! -e ${go} ]; do sleep 0.1; done; exit 3`
    const run = fixture.plane.enqueue(shell(waits))
    const { isAlive } = await fixture.processOf(run)
    fixture.plane.trouble = (path) => (path.endsWith('/claim') ? { status: 410 } : undefined)
    fixture.plane.ring()
    await agent.says('taking no more runs')
    expect(isAlive()).toBe(true)
    await writeFile(go, '')
    await hasEnded(run)
    expect(run.ends[0]).toMatchObject({ exit_code: 3 })
    expect(await agent.exit()).toBe(9)
  })

  test('a pool of another type is not for this agent', async () => {
    fixture.plane.poolType = 'kubernetes'
    const agent = await fixture.startAgent()
    expect(await agent.exit()).toBe(2)
    expect(agent.said).toContain("type 'kubernetes'")
  })
})

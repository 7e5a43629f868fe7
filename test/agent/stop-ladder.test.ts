import { describe, expect, test } from 'vitest'
import { AgentFixture, LONG, shell, STUBBORN } from '../support/node/agent-fixture.ts'

const fixture = new AgentFixture()

describe('signals to the agent', () => {
  test('the first drains: nothing new is taken, what runs ends by itself', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell('echo up; sleep 1; exit 6'))
    await fixture.hasSaid(run, 'up')
    agent.signal('SIGTERM')
    await agent.says('taking no more runs')
    const late = fixture.plane.enqueue(shell('true'))
    expect(await agent.exit()).toBe(0)
    expect(run.ends[0]).toMatchObject({ exit_code: 6 })
    expect(late.stage).toBe('waiting')
    expect(await agent.runFolders()).toEqual([])
  })

  test('an idle agent ends at once', async () => {
    const agent = await fixture.startAgent()
    await fixture.isWaiting()
    const before = performance.now()
    agent.signal('SIGINT')
    expect(await agent.exit()).toBe(0)
    expect(performance.now() - before).toBeLessThan(3000)
  })

  test('the second cancels what runs, and says that it was interrupted', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(LONG))
    const { isAlive } = await fixture.processOf(run)
    agent.signal('SIGTERM')
    await agent.says('taking no more runs')
    agent.signal('SIGTERM')
    expect(await agent.exit()).toBe(0)
    expect(run.ends[0]).toMatchObject({ exit_code: 0, interrupted: true })
    expect(isAlive()).toBe(false)
  })

  test('the third kills', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(STUBBORN))
    const { isAlive } = await fixture.processOf(run)
    for (const word of ['taking no more', 'cancelling', 'killing']) {
      agent.signal('SIGTERM')
      await agent.says(word)
    }
    expect(await agent.exit()).toBe(130)
    expect(isAlive()).toBe(false)
  })
})

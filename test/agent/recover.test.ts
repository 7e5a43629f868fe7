import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  AgentFixture,
  fetchedBy,
  hasEnded,
  LONG,
  shell,
  STUBBORN,
} from '../support/node/agent-fixture.ts'
import { until } from '../support/node/until.ts'

const fixture = new AgentFixture()

describe('an agent that was killed and is started again', () => {
  test('the agent goes on with runs that live, and reports those that ended meanwhile', async () => {
    const agent = await fixture.startAgent()
    const lasting = fixture.plane.enqueue(shell('echo $$; sleep 4; echo later; exit 5'))
    const short = fixture.plane.enqueue(shell('echo $$; sleep 1; exit 4'))
    const { isAlive } = await fixture.processOf(lasting)
    await fixture.processOf(short)
    await agent.crash()
    await wait(1200)
    expect(isAlive()).toBe(true)
    const again = await fixture.startAgent({ home: agent.home })
    await again.says('found runs of an earlier start  adopted=1  ended=1')
    await hasEnded(lasting, short)
    expect(lasting.ends).toEqual([expect.objectContaining({ exit_code: 5, fence: 1 })])
    expect(short.ends).toEqual([expect.objectContaining({ exit_code: 4, fence: 1 })])
    expect(fixture.plane.logLines(lasting).at(-1)).toBe('later')
    expect(fixture.plane.accepts.length).toBeLessThanOrEqual(2)
    await until('nothing is left', async () => (await again.runFolders()).length === 0)
  })

  test('it kills what has been given to somebody else in the meantime', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(STUBBORN))
    const { isAlive } = await fixture.processOf(run)
    await agent.crash()
    run.fence += 1
    const again = await fixture.startAgent({ home: agent.home })
    await again.says('killing run')
    await until('it is dead', () => !isAlive())
    expect(run.stage).not.toBe('ended')
  })

  test('it cancels what was cancelled in the meantime', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(LONG))
    const { isAlive } = await fixture.processOf(run)
    await agent.crash()
    fixture.plane.cancel(run, 20)
    await fixture.startAgent({ home: agent.home })
    await hasEnded(run)
    expect(isAlive()).toBe(false)
  })

  test('an end that could not be told before the crash is told after it', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell('echo up; exit 8'))
    fixture.plane.trouble = (path) => (path.endsWith('/finish') ? 'cut' : undefined)
    await agent.says('cannot report the end')
    await agent.crash()
    fixture.plane.trouble = () => undefined
    await fixture.startAgent({ home: agent.home })
    await hasEnded(run)
    expect(run.ends).toEqual([expect.objectContaining({ exit_code: 8 })])
    expect(fixture.plane.logLines(run)).toEqual(['up'])
  })

  test('a run that was accepted but not begun is reported so that it may begin anew', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(fetchedBy('echo fetching; sleep 60'))
    await fixture.hasSaid(run, 'fetching')
    await agent.crash()
    await fixture.startAgent({ home: agent.home })
    await hasEnded(run)
    expect(run.ends[0]).toMatchObject({ not_started: true, interrupted: true })
  })

  test('a run whose supervisor was killed with it is reported as killed', async () => {
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(LONG))
    const { isAlive } = await fixture.processOf(run)
    await agent.crash()
    const [folder = ''] = await agent.runFolders()
    const handle = JSON.parse(await readFile(join(folder, 'handle.json'), 'utf8')) as {
      pid: number
    }
    process.kill(handle.pid, 'SIGKILL')
    await fixture.startAgent({ home: agent.home })
    await hasEnded(run)
    expect(run.ends[0]).toMatchObject({ signal: 'SIGKILL' })
    expect(isAlive()).toBe(false)
  })

  test('without the agent a run fences itself', async () => {
    fixture.plane.offlineGraceSeconds = 3
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(STUBBORN))
    const { isAlive } = await fixture.processOf(run)
    await wait(4000)
    expect(isAlive()).toBe(true)
    await agent.crash()
    await until('it has fenced itself', () => !isAlive(), 8000)
    await fixture.startAgent({ home: agent.home })
    await hasEnded(run)
    expect(run.ends[0]?.message).toContain('lease')
  })

  test('the end of a run that it should have, and has not, is reported when it comes back', async () => {
    await fixture.startAgent()
    const lasting = fixture.plane.enqueue(shell('echo $$; sleep 300'))
    const { isAlive } = await fixture.processOf(lasting)
    const missing = fixture.plane.enqueue(shell('echo never'))
    await hasEnded(missing)
    missing.ends = []
    missing.stage = 'accepted'
    fixture.plane.cutDoorbells()
    await until('its end is reported', () => missing.ends.length > 0)
    expect(missing.ends).toEqual([
      expect.objectContaining({ fence: 1, interrupted: true, message: expect.any(String) }),
    ])
    expect(lasting.ends).toEqual([])
    expect(isAlive()).toBe(true)
  })

  test('two agents do not share an identity', async () => {
    const agent = await fixture.startAgent()
    await fixture.isWaiting()
    const twin = await fixture.startAgent({ home: agent.home })
    expect(await twin.exit()).toBe(7)
    expect(twin.said).toContain(`process ${agent.pid}`)
    const other = await fixture.startAgent({ home: agent.home, name: 'other' })
    await until('it waits as well', () => fixture.plane.doorbells.length === 2)
    expect(other.said).toContain('agent other serves')
    expect(new Set(fixture.plane.claims.map(({ agent: { agent_id } }) => agent_id)).size).toBe(2)
  })
})

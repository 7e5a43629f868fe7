import { describe, expect, test } from 'vitest'
import {
  AgentFixture,
  fetchedBy,
  hasEnded,
  LONG,
  shell,
  STUBBORN,
} from '../support/node/agent-fixture.ts'
import { AGENT_KEY } from '../support/node/agent-process.ts'
import { until } from '../support/node/until.ts'

const fixture = new AgentFixture()

describe('a run', () => {
  test('is claimed, accepted, run with its own token, logged and reported; its folder is removed', async () => {
    const agent = await fixture.startAgent()
    const script =
      'echo "$HEADGATE_API_KEY $PREFECT_API_KEY"; env; cat "$HEADGATE_RUN_CONTEXT"; echo; exit 3'
    const run = fixture.plane.enqueue({ ...shell(script), parameters: { answer: 42 } })
    await hasEnded(run)
    expect(run.ends).toEqual([
      expect.objectContaining({
        fence: 1,
        exit_code: 3,
        signal: null,
        message: expect.any(String),
      }),
    ])
    const lines = fixture.plane.logLines(run)
    expect(lines[0]).toBe('hgr_token hgr_token')
    expect(lines.join('\n')).not.toContain(AGENT_KEY)
    const context = JSON.parse(lines.find((line) => line.startsWith('{')) ?? '{}') as unknown
    expect(context).toMatchObject({
      fence: 1,
      flow_run: { id: run.id, parameters: { answer: 42 } },
    })
    expect(context).not.toHaveProperty('run_token')
    expect(agent.said).toMatch(/agent agent serves pool pool at http.*, no limit/)
    await until('its folder is gone', async () => (await agent.runFolders()).length === 0)
  })

  test('that is not confirmed is not started', async () => {
    let stolen = false
    const agent = await fixture.startAgent()
    fixture.plane.trouble = (path) => {
      // Between claim and accept the API gives it a new fence.
      if (path.endsWith('/accept') && !stolen) {
        stolen = true
        run.fence += 1
      }
      return undefined
    }
    const run = fixture.plane.enqueue(shell('echo never'))
    await agent.says('run not started')
    await until('its folder is gone', async () => (await agent.runFolders()).length === 0)
    expect(fixture.plane.logLines(run)).toEqual([])
    expect(run.ends).toEqual([])
  })

  test('whose accept was lost on the way back is started once', async () => {
    let lost = 0
    fixture.plane.trouble = (path) => {
      lost += path.endsWith('/accept') ? 1 : 0
      return path.endsWith('/accept') && lost === 1 ? 'cut after' : undefined
    }
    await fixture.startAgent()
    const run = fixture.plane.enqueue(shell('echo once'))
    await hasEnded(run)
    expect(fixture.plane.accepts.length).toBe(2)
    expect(fixture.plane.logLines(run)).toEqual(['once'])
  })

  test('that is delivered twice under one fence is started once', async () => {
    await fixture.startAgent()
    const run = fixture.plane.enqueue(shell('echo once; sleep 1'))
    await fixture.hasSaid(run, 'once')
    run.fence -= 1
    fixture.plane.supersede(run)
    await until('it is claimed again', () => run.stage === 'claimed')
    run.stage = 'accepted'
    await hasEnded(run)
    expect(fixture.plane.logLines(run)).toEqual(['once'])
    expect(run.ends.length).toBe(1)
  })

  test('with a newer fence replaces the old copy, which is dead before the new one starts', async () => {
    await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(STUBBORN))
    const first = await fixture.processOf(run)
    const look = `case "$(ps -o stat= -p ${first.pid})" in ""|Z*) echo alone;; esac`
    run.claimed.job_configuration = { command: `sh -c '${look}'` }
    fixture.plane.supersede(run)
    await fixture.hasSaid(run, 'alone')
    expect(first.isAlive()).toBe(false)
    await until('both are reported', () => run.ends.length === 2)
    expect(run.ends.map(({ fence }) => fence).toSorted((a, b) => a - b)).toEqual([1, 2])
  })

  test('that cannot be started is reported as not started, in words; the agent goes on', async () => {
    await fixture.startAgent()
    const noProgram = fixture.plane.enqueue({ job_configuration: { command: 'no-such-program' } })
    const noStep = fixture.plane.enqueue({
      ...shell('true'),
      deployment: { pull_steps: [{ 'my.own.step': {} }] },
    })
    const nothing = fixture.plane.enqueue()
    const noFolder = fixture.plane.enqueue({
      job_configuration: { command: 'true', working_dir: '/no/such/folder' },
    })
    await hasEnded(noProgram, noStep, nothing, noFolder)
    const messages = [noProgram, noStep, nothing, noFolder].map((run) => {
      expect(run.ends[0]).toMatchObject({ not_started: true })
      return run.ends[0]?.message
    })
    expect(messages[0]).toContain("'no-such-program' cannot be executed")
    expect(messages[1]).toContain("'my.own.step'")
    expect(messages[2]).toContain('no entrypoint')
    expect(messages[3]).toContain("'/no/such/folder' does not exist")
    const next = fixture.plane.enqueue(shell('echo next'))
    await hasEnded(next)
    expect(fixture.plane.logLines(next)).toEqual(['next'])
  })

  test('that is cancelled gets SIGTERM, and SIGKILL after its grace', async () => {
    await fixture.startAgent()
    const polite = fixture.plane.enqueue(shell(LONG))
    const stubborn = fixture.plane.enqueue(shell(STUBBORN))
    const processes = [await fixture.processOf(polite), await fixture.processOf(stubborn)]
    fixture.plane.cancel(polite, 20)
    fixture.plane.cancel(stubborn, 1)
    await hasEnded(polite)
    expect(polite.ends[0]).toMatchObject({ exit_code: 0, signal: null })
    await hasEnded(stubborn)
    expect(stubborn.ends[0]).toMatchObject({ signal: 'SIGKILL' })
    expect(processes.map(({ isAlive }) => isAlive())).toEqual([false, false])
  })

  test('is cancelled at once by the doorbell, however rare renewals are', async () => {
    fixture.plane.renewSeconds = 600
    const agent = await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(LONG))
    const { isAlive } = await fixture.processOf(run)
    fixture.plane.cancel(run, 20)
    await hasEnded(run)
    expect(isAlive()).toBe(false)
    expect(agent.said).toContain('stopping run')
  })

  test('cancelled while its code is fetched ends without having started', async () => {
    await fixture.startAgent()
    const run = fixture.plane.enqueue(fetchedBy('echo fetching; sleep 30'))
    await fixture.hasSaid(run, 'fetching')
    fixture.plane.cancel(run, 20)
    await hasEnded(run)
    expect(fixture.plane.logLines(run)).toEqual(['fetching'])
    expect(run.ends[0]?.message).toContain('stopped before it had started')
  })
})

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isRunning, processStart } from '../../agent/infra/process-table.ts'
import { AGENT_KEY, AgentProcess, type AgentProcessOptions } from '../support/node/agent-process.ts'
import { FakeControlPlane, type PlacedRun } from '../support/node/fake-control-plane.ts'
import { until } from '../support/node/until.ts'

let plane: FakeControlPlane
let agents: AgentProcess[]

beforeEach(async () => {
  plane = new FakeControlPlane()
  agents = []
  await plane.start()
})

afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.dispose()))
  await plane.stop()
})

async function startAgent(options?: AgentProcessOptions): Promise<AgentProcess> {
  const agent = await AgentProcess.start(plane, options)
  agents.push(agent)
  return agent
}

const shell = (script: string) => ({ job_configuration: { command: `sh -c '${script}'` } })
const ended = (run: PlacedRun) => until(`run ends, it is ${run.stage}`, () => run.stage === 'ended')
const says = (run: PlacedRun, line: string) =>
  until(`the run says ${line}`, () => plane.logLines(run).includes(line))
/** A run that says its process id, and ends when SIGTERM comes. */
const LONG = 'echo $$; trap "exit 0" TERM; while :; do sleep 0.1; done'
const STUBBORN = 'echo $$; trap "" TERM; while :; do sleep 0.1; done'

async function pidOf(run: PlacedRun): Promise<{ pid: number; isAlive: () => boolean }> {
  await until('the run says its process id', () => plane.logLines(run).length > 0)
  const pid = Number(plane.logLines(run)[0])
  const start = processStart(pid) ?? ''
  return { pid, isAlive: () => isRunning(pid, start) }
}

describe('a run', () => {
  test('is claimed, accepted, run with its own token, logged and reported; its folder is removed', async () => {
    const agent = await startAgent()
    const script =
      'echo "$HEADGATE_API_KEY $PREFECT_API_KEY"; env; cat "$HEADGATE_RUN_CONTEXT"; echo; exit 3'
    const run = plane.enqueue({ ...shell(script), parameters: { answer: 42 } })
    await ended(run)
    expect(run.ends).toEqual([
      expect.objectContaining({
        fence: 1,
        exit_code: 3,
        signal: null,
        message: expect.any(String),
      }),
    ])
    const lines = plane.logLines(run)
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
    const agent = await startAgent()
    plane.trouble = (path) => {
      // Between claim and accept the API gives it a new fence.
      if (path.endsWith('/accept') && !stolen) {
        stolen = true
        run.fence += 1
      }
      return undefined
    }
    const run = plane.enqueue(shell('echo never'))
    await agent.says('run not started')
    await until('its folder is gone', async () => (await agent.runFolders()).length === 0)
    expect(plane.logLines(run)).toEqual([])
    expect(run.ends).toEqual([])
  })

  test('whose accept was lost on the way back is started once', async () => {
    let lost = 0
    plane.trouble = (path) => {
      lost += path.endsWith('/accept') ? 1 : 0
      return path.endsWith('/accept') && lost === 1 ? 'cut after' : undefined
    }
    await startAgent()
    const run = plane.enqueue(shell('echo once'))
    await ended(run)
    expect(plane.accepts.length).toBe(2)
    expect(plane.logLines(run)).toEqual(['once'])
  })

  test('that is delivered twice under one fence is started once', async () => {
    await startAgent()
    const run = plane.enqueue(shell('echo once; sleep 1'))
    await says(run, 'once')
    run.fence -= 1
    plane.supersede(run)
    await until('it is claimed again', () => run.stage === 'claimed')
    run.stage = 'accepted'
    await ended(run)
    expect(plane.logLines(run)).toEqual(['once'])
    expect(run.ends.length).toBe(1)
  })

  test('with a newer fence replaces the old copy, which is dead before the new one starts', async () => {
    await startAgent()
    const run = plane.enqueue(shell(STUBBORN))
    const first = await pidOf(run)
    run.claimed.job_configuration = { command: `sh -c 'kill -0 ${first.pid} || echo alone'` }
    plane.supersede(run)
    await says(run, 'alone')
    expect(first.isAlive()).toBe(false)
    await until('both are reported', () => run.ends.length === 2)
    expect(run.ends.map(({ fence }) => fence).toSorted()).toEqual([1, 2])
  })

  test('that cannot be started is reported as not started, in words; the agent goes on', async () => {
    await startAgent()
    const noProgram = plane.enqueue({ job_configuration: { command: 'no-such-program' } })
    const noStep = plane.enqueue({
      ...shell('true'),
      deployment: { pull_steps: [{ 'my.own.step': {} }] },
    })
    const nothing = plane.enqueue()
    const noFolder = plane.enqueue({
      job_configuration: { command: 'true', working_dir: '/no/such/folder' },
    })
    await Promise.all([noProgram, noStep, nothing, noFolder].map((run) => ended(run)))
    const messages = [noProgram, noStep, nothing, noFolder].map((run) => {
      expect(run.ends[0]).toMatchObject({ not_started: true })
      return run.ends[0]?.message
    })
    expect(messages[0]).toContain("'no-such-program' cannot be executed")
    expect(messages[1]).toContain("'my.own.step'")
    expect(messages[2]).toContain('no entrypoint')
    expect(messages[3]).toContain("'/no/such/folder' does not exist")
    const next = plane.enqueue(shell('echo next'))
    await ended(next)
    expect(plane.logLines(next)).toEqual(['next'])
  })

  test('that is cancelled gets SIGTERM, and SIGKILL after its grace', async () => {
    await startAgent()
    const polite = plane.enqueue(shell(LONG))
    const stubborn = plane.enqueue(shell(STUBBORN))
    const processes = [await pidOf(polite), await pidOf(stubborn)]
    plane.cancel(polite, 20)
    plane.cancel(stubborn, 1)
    await ended(polite)
    expect(polite.ends[0]).toMatchObject({ exit_code: 0, signal: null })
    await ended(stubborn)
    expect(stubborn.ends[0]).toMatchObject({ signal: 'SIGKILL' })
    expect(processes.map(({ isAlive }) => isAlive())).toEqual([false, false])
  })

  test('is cancelled at once by the doorbell, however rare renewals are', async () => {
    plane.renewSeconds = 600
    const agent = await startAgent()
    const run = plane.enqueue(shell(LONG))
    const { isAlive } = await pidOf(run)
    plane.cancel(run, 20)
    await ended(run)
    expect(isAlive()).toBe(false)
    expect(agent.said).toContain('stopping run')
  })

  test('cancelled while its code is fetched ends without having started', async () => {
    await startAgent()
    const script = 'echo fetching; sleep 30'
    const run = plane.enqueue({
      ...shell('echo never'),
      deployment: { pull_steps: [{ 'prefect.deployments.steps.run_shell_script': { script } }] },
    })
    await says(run, 'fetching')
    plane.cancel(run, 20)
    await ended(run)
    expect(plane.logLines(run)).toEqual(['fetching'])
    expect(run.ends[0]?.message).toContain('stopped before it had started')
  })
})

describe('claims', () => {
  test('wait at the doorbell, with the key as a header, and come at once when it rings', async () => {
    await startAgent({ queues: ['high', 'low'] })
    await until('the doorbell is open', () => plane.doorbells.length === 1)
    const [bell] = plane.doorbells
    expect(bell?.authorization).toBe(`Bearer ${AGENT_KEY}`)
    expect(bell?.url.searchParams.getAll('queue')).toEqual(['high', 'low'])
    expect(bell?.url.searchParams.get('version')).toBe('1')
    await wait(500)
    const before = plane.claims.length
    expect(before).toBeLessThanOrEqual(2)
    expect(plane.claims[0]).toMatchObject({ work_queue_names: ['high', 'low'] })
    const at = performance.now()
    const run = plane.enqueue(shell('true'))
    await until('it is accepted', () => run.stage === 'accepted', 2000)
    expect(performance.now() - at).toBeLessThan(1000)
    await ended(run)
  })

  test('ask for no more than there is room, and again as soon as there is some', async () => {
    await startAgent({ limit: 2 })
    const first = plane.enqueue(shell(LONG))
    const second = plane.enqueue(shell(LONG))
    const third = plane.enqueue(shell('echo third'))
    await Promise.all([pidOf(first), pidOf(second)])
    await wait(300)
    expect(third.stage).toBe('waiting')
    expect(plane.claims.every(({ limit }) => limit <= 2)).toBe(true)
    plane.cancel(first, 20)
    await ended(third)
    expect(second.stage).toBe('accepted')
  })

  test('take many runs in one claim and one accept', async () => {
    const runs = Array.from({ length: 12 }, () => plane.enqueue(shell('sleep 0.2')))
    await startAgent()
    await Promise.all(runs.map((run) => ended(run)))
    expect(plane.accepts.map(({ executions }) => executions.length)).toEqual([12])
  })

  test('are long polls where WebSockets do not get through', async () => {
    plane.doorbellWorks = false
    await startAgent()
    await until('it long-polls', () => plane.claims.at(-1)?.wait_seconds === 25)
    const run = plane.enqueue(shell('true'))
    await ended(run)
  })

  test('come back to the doorbell after the connection is cut', async () => {
    await startAgent()
    await until('the doorbell is open', () => plane.doorbells.length === 1)
    plane.doorbells[0]?.socket.cut()
    await until('it is open again', () => plane.doorbells.length === 1)
    const run = plane.enqueue(shell('true'))
    await ended(run)
  })
})

describe('the API', () => {
  test('may be down when the agent starts, and come later', async () => {
    await plane.stop()
    const agent = await startAgent()
    await agent.says('trying again')
    await plane.start()
    await ended(plane.enqueue(shell('true')))
  })

  test('may fail in every way for a while; the end of a run is told when it is back', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell('echo up; sleep 1; echo down'))
    await says(run, 'up')
    const troubles = ['cut', { status: 500 }, { status: 503, retryAfter: 1 }] as const
    let count = 0
    plane.trouble = () => troubles[(count += 1) % troubles.length]
    await until('it has run into trouble', () => count > 8)
    // A captive portal: a page with a status that would be the end of the agent if the API had said it.
    plane.trouble = () => ({ status: 403, text: '<html>please log in</html>' })
    await wait(2500)
    plane.trouble = () => undefined
    await ended(run)
    await until('all of the output is there', () => plane.logLines(run).length === 2)
    expect(plane.logLines(run)).toEqual(['up', 'down'])
    expect(run.ends[0]).toMatchObject({ exit_code: 0 })
    expect(agent.said).toContain('trying again')
  })

  test.each([
    [401, 3, 'does not accept the key'],
    [403, 4, 'may not serve'],
    [426, 7, 'too old'],
    [410, 8, 'gone'],
  ])('ends the agent with %i: exit code %i', async (status, code, words) => {
    plane.trouble = () => ({ status })
    const agent = await startAgent()
    expect(await agent.exit()).toBe(code)
    expect(agent.said).toContain(words)
  })

  test('a pool that does not exist is told with what to do', async () => {
    plane.poolExists = false
    const agent = await startAgent()
    expect(await agent.exit()).toBe(5)
    expect(agent.said).toContain('headgate work-pool create pool')
  })

  test('a pool that vanishes later is waited for', async () => {
    const agent = await startAgent()
    await until('it waits', () => plane.doorbells.length === 1)
    plane.poolExists = false
    await agent.says('cannot renew leases')
    plane.poolExists = true
    await ended(plane.enqueue(shell('true')))
  })

  test('a pool of another type is not for this agent', async () => {
    plane.poolType = 'kubernetes'
    const agent = await startAgent()
    expect(await agent.exit()).toBe(2)
    expect(agent.said).toContain("type 'kubernetes'")
  })
})

describe('signals', () => {
  test('the first drains: nothing new is taken, what runs ends by itself', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell('echo up; sleep 1; exit 6'))
    await says(run, 'up')
    agent.signal('SIGTERM')
    await agent.says('taking no more runs')
    const late = plane.enqueue(shell('true'))
    expect(await agent.exit()).toBe(0)
    expect(run.ends[0]).toMatchObject({ exit_code: 6 })
    expect(late.stage).toBe('waiting')
    expect(await agent.runFolders()).toEqual([])
  })

  test('an idle agent ends at once', async () => {
    const agent = await startAgent()
    await until('it waits', () => plane.doorbells.length === 1)
    const before = performance.now()
    agent.signal('SIGINT')
    expect(await agent.exit()).toBe(0)
    expect(performance.now() - before).toBeLessThan(3000)
  })

  test('the second cancels what runs, and says that it was interrupted', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell(LONG))
    const { isAlive } = await pidOf(run)
    agent.signal('SIGTERM')
    await agent.says('taking no more runs')
    agent.signal('SIGTERM')
    expect(await agent.exit()).toBe(0)
    expect(run.ends[0]).toMatchObject({ exit_code: 0, interrupted: true })
    expect(isAlive()).toBe(false)
  })

  test('the third kills', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell(STUBBORN))
    const { isAlive } = await pidOf(run)
    for (const word of ['taking no more', 'cancelling', 'killing']) {
      agent.signal('SIGTERM')
      await agent.says(word)
    }
    expect(await agent.exit()).toBe(130)
    expect(isAlive()).toBe(false)
  })
})

describe('killed and started again', () => {
  test('the agent goes on with runs that live, and reports those that ended meanwhile', async () => {
    const agent = await startAgent()
    const lasting = plane.enqueue(shell('echo $$; sleep 4; echo later; exit 5'))
    const short = plane.enqueue(shell('echo $$; sleep 1; exit 4'))
    const { isAlive } = await pidOf(lasting)
    await pidOf(short)
    await agent.crash()
    await wait(1200)
    expect(isAlive()).toBe(true)
    const again = await startAgent({ home: agent.home })
    await again.says('found runs of an earlier start  adopted=1  ended=1')
    await Promise.all([ended(lasting), ended(short)])
    expect(lasting.ends).toEqual([expect.objectContaining({ exit_code: 5, fence: 1 })])
    expect(short.ends).toEqual([expect.objectContaining({ exit_code: 4, fence: 1 })])
    expect(plane.logLines(lasting).slice(1)).toEqual(['later'])
    expect(plane.accepts.length).toBeLessThanOrEqual(2)
    await until('nothing is left', async () => (await again.runFolders()).length === 0)
  })

  test('it kills what has been given to somebody else in the meantime', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell(STUBBORN))
    const { isAlive } = await pidOf(run)
    await agent.crash()
    run.fence += 1
    const again = await startAgent({ home: agent.home })
    await again.says('killing run')
    await until('it is dead', () => !isAlive())
    expect(run.stage).not.toBe('ended')
  })

  test('it cancels what was cancelled in the meantime', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell(LONG))
    const { isAlive } = await pidOf(run)
    await agent.crash()
    plane.cancel(run, 20)
    await startAgent({ home: agent.home })
    await ended(run)
    expect(isAlive()).toBe(false)
  })

  test('an end that could not be told before the crash is told after it', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell('echo up; exit 8'))
    plane.trouble = (path) => (path.endsWith('/finish') ? 'cut' : undefined)
    await agent.says('cannot report the end')
    await agent.crash()
    plane.trouble = () => undefined
    await startAgent({ home: agent.home })
    await ended(run)
    expect(run.ends).toEqual([expect.objectContaining({ exit_code: 8 })])
    expect(plane.logLines(run)).toEqual(['up'])
  })

  test('a run that was accepted but not begun is reported as not started', async () => {
    const agent = await startAgent()
    const script = 'echo fetching; sleep 60'
    const run = plane.enqueue({
      ...shell('echo never'),
      deployment: { pull_steps: [{ 'prefect.deployments.steps.run_shell_script': { script } }] },
    })
    await says(run, 'fetching')
    await agent.crash()
    await startAgent({ home: agent.home })
    await ended(run)
    expect(run.ends[0]).toMatchObject({ not_started: true })
  })

  test('a run whose supervisor was killed with it is reported as killed', async () => {
    const agent = await startAgent()
    const run = plane.enqueue(shell(LONG))
    const { isAlive } = await pidOf(run)
    await agent.crash()
    const [folder = ''] = await agent.runFolders()
    const handle = JSON.parse(await readFile(join(folder, 'handle.json'), 'utf8')) as {
      pid: number
    }
    process.kill(handle.pid, 'SIGKILL')
    await startAgent({ home: agent.home })
    await ended(run)
    expect(run.ends[0]).toMatchObject({ signal: 'SIGKILL' })
    expect(isAlive()).toBe(false)
  })

  test('without the agent a run fences itself', async () => {
    plane.offlineGraceSeconds = 3
    const agent = await startAgent()
    const run = plane.enqueue(shell(STUBBORN))
    const { isAlive } = await pidOf(run)
    await wait(4000)
    expect(isAlive()).toBe(true)
    await agent.crash()
    await until('it has fenced itself', () => !isAlive(), 8000)
    await startAgent({ home: agent.home })
    await ended(run)
    expect(run.ends[0]?.message).toContain('lease')
  })

  test('two agents do not share an identity', async () => {
    const agent = await startAgent()
    await until('it waits', () => plane.doorbells.length === 1)
    const twin = await startAgent({ home: agent.home })
    expect(await twin.exit()).toBe(6)
    expect(twin.said).toContain(`process ${agent.pid}`)
    const other = await startAgent({ home: agent.home, name: 'other' })
    await until('it waits as well', () => plane.doorbells.length === 2)
    expect(other.said).toContain('agent other serves')
    expect(new Set(plane.renewals.map(({ agent: { agent_id } }) => agent_id)).size).toBe(2)
  })
})

describe('output', () => {
  test('arrives line by line, decoded with replacement, the last line without a newline too', async () => {
    await startAgent()
    const run = plane.enqueue(shell(String.raw`printf "a\\n\\377b\\r\\n\\nlast"`))
    await ended(run)
    expect(plane.logLines(run)).toEqual(['a', '\ufffdb', '', 'last'])
    const logs = plane.logs.filter((log) => log.flow_run_id === run.id)
    expect(logs.every(({ name, level }) => name === 'headgate.process' && level === 20)).toBe(true)
    expect(new Set(logs.map(({ timestamp }) => timestamp)).size).toBe(4)
  })

  test('arrives while the run goes on', async () => {
    await startAgent()
    const run = plane.enqueue(shell('echo first; sleep 2; echo second'))
    await says(run, 'first')
    expect(run.stage).toBe('accepted')
    await says(run, 'second')
  })

  test('is all there after an outage, in order, and once', async () => {
    await startAgent()
    const script = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; sleep 0.01; done'
    const run = plane.enqueue(shell(script))
    await says(run, '20')
    plane.trouble = (path) => (path === '/logs/' ? 'cut' : undefined)
    await wait(1500)
    plane.trouble = () => undefined
    await until('all lines are there', () => plane.logLines(run).length >= 300)
    expect(plane.logLines(run)).toEqual(Array.from({ length: 300 }, (_, index) => `${index + 1}`))
  })

  test('of 100 MB arrives whole, without the agent growing by it', async () => {
    const agent = await startAgent()
    await until('it waits', () => plane.doorbells.length === 1)
    const line = 'x'.repeat(2000)
    const lines = 50_000
    const run = plane.enqueue({
      job_configuration: { command: `sh -c 'yes ${line} | head -n ${lines}'` },
    })
    let most = 0
    await until(
      'all lines are there',
      async () => {
        most = Math.max(most, await residentMegabytes(agent.pid))
        return plane.logLines(run).length >= lines
      },
      90_000,
    )
    expect(plane.logLines(run).every((text) => text === line)).toBe(true)
    await ended(run)
    expect(most).toBeLessThan(300)
  }, 120_000)
})

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import type { DeploymentSchedule } from '../../core/wire/schedule.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { BuiltAgent } from '../support/node/built-agent.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')

let sandbox: Sandbox
let server: LocalServer
let agent: BuiltAgent | undefined

beforeAll(async () => {
  sandbox = new Sandbox()
  server = await LocalServer.start(sandbox, await freePort(26_300))
})
afterAll(() => sandbox.dispose())

/** Runs a command in the folder of the examples, as the profile that `login` has made. */
function headgate(...words: string[]) {
  return sandbox.headgate(words, { cwd: EXAMPLES })
}

async function done(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await headgate(...words)
  expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' })
  return stdout
}

async function json<T>(...words: string[]): Promise<T> {
  return JSON.parse(await done(...words, '--output', 'json')) as T
}

async function stateOf({ id }: FlowRun): Promise<string | null> {
  return (await json<FlowRun>('flow-run', 'inspect', id)).state_type
}

// Each step stands on the one before.
describe.sequential("a newcomer's way", () => {
  it('begins with refusals that say what to do', async () => {
    expect(await headgate('work-pool', 'ls')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/headgate login/),
    })
    const { api_url: url } = server.addresses
    expect(await headgate('login', '--url', url, '--key', 'hg_key_wrong')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/did not accept this key/),
    })
    const nobody = 'http://127.0.0.1:26999/api'
    expect(await headgate('login', '--url', nobody, '--key', 'hg_key_any')).toMatchObject({
      code: 5,
    })
    expect(await headgate('deployment', 'fly')).toMatchObject({ code: 2 })
  })

  it('signs in, makes a pool and deploys the examples', async () => {
    const { api_url: url, api_key: key } = server.addresses
    expect(await done('login', '--url', url, '--key', key)).toMatch(/Signed in/)
    const missing = await headgate('deploy', '--all')
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringMatching(/demo/) })
    await done('work-pool', 'create', 'demo', '--type', 'process')
    await done('work-queue', 'create', 'urgent', '--pool', 'demo', '--priority', '1')
    expect(await done('deploy', '--all')).toMatch(/hello\/demo/)
    expect(await done('deployment', 'ls')).toMatch(/countdown.*demo/)
    expect(await headgate('deployment', 'run', 'nobody/demo')).toMatchObject({ code: 3 })
  })

  it('starts an agent, runs a flow and reads its log', async () => {
    const started = BuiltAgent.start(sandbox, { pool: 'demo', environment: {} })
    agent = started
    onTestFailed(() => {
      process.stderr.write(started.said)
    })
    const words = ['--param', 'name=Grace', '--param', 'times=2', '--watch']
    const watched = await done('deployment', 'run', 'hello/demo', ...words)
    expect(watched).toMatch(/Completed/)
    const [run] = await json<FlowRun[]>('flow-run', 'ls', '--flow', 'hello')
    expect(run).toMatchObject({ state_type: 'COMPLETED', parameters: { name: 'Grace', times: 2 } })
    expect(await done('flow-run', 'logs', run?.id ?? '')).toMatch(/Hello Grace! \(2 of 2\)/)
    // The schedule's coming runs are no activity yet.
    const listed = await json<FlowRun[]>('flow-run', 'ls')
    expect(
      listed.every(({ expected_start_time: at }) => Date.parse(at ?? '') < Date.now() + 10_000),
    ).toBe(true)
    expect(listed.map(({ id }) => id)).toContain(run?.id)
  })

  it('is told when parameters do not fit', async () => {
    const refused = await headgate('deployment', 'run', 'hello/demo', '--param', 'times=99')
    expect(refused).toMatchObject({ code: 6, stderr: expect.stringMatching(/times/) })
  })

  it('cancels a run', async () => {
    const run = await json<FlowRun>('deployment', 'run', 'countdown/demo', '--param', 'seconds=60')
    await until('it runs', async () => (await stateOf(run)) === 'RUNNING', 30_000)
    await done('flow-run', 'cancel', run.id)
    expect(await headgate('flow-run', 'watch', run.id)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/Cancelled/),
    })
    expect(await headgate('flow-run', 'cancel', run.id)).toMatchObject({ code: 6 })
  })

  it('pauses and resumes a queue', async () => {
    await done('work-queue', 'pause', 'default', '--pool', 'demo')
    const held = await json<FlowRun>('deployment', 'run', 'hello/demo')
    // One that was made later, in another queue, goes by.
    await done('deployment', 'run', 'hello/demo', '--queue', 'urgent', '--watch')
    expect(await stateOf(held)).toBe('SCHEDULED')
    await done('work-queue', 'resume', 'default', '--pool', 'demo')
    await done('flow-run', 'watch', held.id)
  })

  it('pauses a schedule', async () => {
    const scheduled = () =>
      json<FlowRun[]>('flow-run', 'ls', '--flow', 'heartbeat', '--state', 'Scheduled')
    expect(await scheduled()).not.toEqual([])
    await done('deployment', 'schedule', 'pause', 'heartbeat/demo', 'every-ten-seconds')
    const [schedule] = await json<DeploymentSchedule[]>(
      'deployment',
      'schedule',
      'ls',
      'heartbeat/demo',
    )
    expect(schedule).toMatchObject({ slug: 'every-ten-seconds', active: false })
    await until('its coming runs are gone', async () => (await scheduled()).length === 0, 30_000)
  })

  it('stops the agent, and leaves nothing behind', async () => {
    expect(await agent?.stop()).toBe(0)
    server.signal('SIGTERM')
    expect(await server.exit()).toBe(0)
    await sandbox.isEmpty()
  })
})

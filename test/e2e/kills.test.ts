import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from 'vitest'
import type { Client } from '../../core/client.ts'
import { withRetry } from '../../core/retry.ts'
import { isTerminal } from '../../core/state.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { BuiltAgent } from '../support/node/built-agent.ts'
import { readExecutions } from '../support/node/journal.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, kill, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

const FLOWS = join(import.meta.dirname, 'flows')
const POOL = 'kills'

let sandbox: Sandbox
let port: number
let server: LocalServer
let agent: BuiltAgent
let client: Client
let deploymentId: string
let said: (() => string)[]

beforeEach(async () => {
  sandbox = new Sandbox()
  port = await freePort(26_200)
  said = []
  onTestFailed(() => {
    process.stderr.write(said.map((text) => text()).join('\n---\n'))
  })
  server = await startServer()
  client = server.client
  await client.createWorkPool({ name: POOL, type: 'process' })
  const { environment: env } = server
  const deployed = await sandbox.headgate(['deploy', '--all'], { env, cwd: FLOWS })
  expect(deployed).toMatchObject({ code: 0 })
  deploymentId = (await client.readDeploymentByName('journal', 'e2e')).id
  agent = startAgent()
})
afterEach(() => sandbox.dispose())

async function startServer(): Promise<LocalServer> {
  const started = LocalServer.launch(sandbox, port)
  said.push(() => started.stderr)
  await started.isReady()
  return started
}

function startAgent(): BuiltAgent {
  const { environment } = server
  const started = BuiltAgent.start(sandbox, { pool: POOL, environment, limit: 6 })
  said.push(() => started.said)
  return started
}

const journalFile = () => sandbox.path('journal.jsonl')

async function trigger(steps: number): Promise<FlowRun> {
  return await client.createFlowRunFromDeployment(deploymentId, {
    parameters: { file: journalFile(), steps },
  })
}

/** Through outages, but not for ever. */
async function read({ id }: FlowRun): Promise<FlowRun> {
  return await withRetry(() => client.readFlowRun(id), { attempts: 20, maxMs: 2000 })
}

async function hasEnded(run: FlowRun, milliseconds = 60_000): Promise<FlowRun> {
  let now = run
  const isOver = async () => {
    now = await read(run)
    return isOverAlready(now)
  }
  await until(`'${run.name}' ends`, isOver, milliseconds)
  return now
}

function isOverAlready({ state_type: type }: FlowRun): boolean {
  return type !== null && isTerminal(type)
}

const executionsOf = ({ id }: FlowRun) =>
  readExecutions(journalFile()).filter(({ run }) => run === id)

async function isExecuted(run: FlowRun): Promise<number> {
  await until(`'${run.name}' is executed`, () => executionsOf(run).length > 0, 60_000)
  return executionsOf(run)[0]?.pid ?? 0
}

async function loggedSteps(run: FlowRun): Promise<string[]> {
  const logs = await client.filterLogs({
    logs: { flow_run_id: { any_: [run.id] } },
    sort: 'TIMESTAMP_ASC',
  })
  return logs.map(({ message }) => message).filter((message) => message.startsWith('step '))
}

/** Agent and server end when they are told to, and nothing that they have started is left. */
async function everythingEnds(): Promise<void> {
  expect(await agent.stop()).toBe(0)
  server.signal('SIGTERM')
  expect(await server.exit()).toBe(0)
  await sandbox.isEmpty()
}

const allSteps = (count: number) => Array.from({ length: count }, (_, step) => `step ${step + 1}`)

describe('a kill', () => {
  it('of the agent: the next one goes on with its run', async () => {
    const run = await trigger(60)
    await isExecuted(run)
    await agent.crash()
    agent = startAgent()
    expect(await hasEnded(run)).toMatchObject({ state_type: 'COMPLETED' })
    expect(executionsOf(run)).toEqual([expect.objectContaining({ ended: true })])
    await agent.says('run ended')
    await everythingEnds()
  })

  it('of the agent before it has started a run: the run waits again, and completes', async () => {
    const marker = sandbox.path('fetching')
    const script = `[ -e ${marker} ] || { : >${marker}; sleep 60; }`
    await client.updateDeployment(deploymentId, {
      pull_steps: [
        { 'prefect.deployments.steps.run_shell_script': { script } },
        { 'prefect.deployments.steps.set_working_directory': { directory: FLOWS } },
      ],
    })
    const run = await trigger(5)
    await until('its code is fetched', () => existsSync(marker), 60_000)
    await agent.crash()
    agent = startAgent()
    expect(await hasEnded(run)).toMatchObject({ state_type: 'COMPLETED', run_count: 1 })
    expect(executionsOf(run)).toEqual([expect.objectContaining({ ended: true })])
    await everythingEnds()
  })

  it("of a run's process: the run is Crashed in seconds and says why", async () => {
    const run = await trigger(600)
    kill(await isExecuted(run))
    const { state_type: type, state } = await hasEnded(run, 10_000)
    expect(type).toBe('CRASHED')
    expect(state?.message).toMatch(/SIGKILL/)
    await everythingEnds()
  })

  it('of the server, which is away for 10 s: the run completes and all its lines arrive', async () => {
    const run = await trigger(150)
    await isExecuted(run)
    const left = server.workerds()
    await server.crash()
    for (const { pid } of left) {
      kill(pid)
    }
    await wait(10_000)
    server = await startServer()
    expect(await hasEnded(run)).toMatchObject({ state_type: 'COMPLETED' })
    expect(executionsOf(run)).toEqual([expect.objectContaining({ ended: true })])
    await until('all lines are there', async () => (await loggedSteps(run)).length >= 150)
    expect(await loggedSteps(run)).toEqual(allSteps(150))
    await everythingEnds()
  })

  it('of the agent for good: its run is shown as Crashed within a minute', async () => {
    const run = await trigger(1200)
    await isExecuted(run)
    await agent.crash()
    const { state_type: type, state } = await hasEnded(run, 60_000)
    expect(type).toBe('CRASHED')
    expect(state?.message).toMatch(/agent was lost/i)
  })
})

import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, onTestFailed } from 'vitest'
import type { Client } from '../../core/client.ts'
import { isTerminal } from '../../core/state.ts'
import type { DeploymentFlowRunCreate } from '../../core/wire/deployment.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { BuiltAgent } from '../support/node/built-agent.ts'
import { readExecutions } from '../support/node/journal.ts'
import { LocalServer } from '../support/node/local-server.ts'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

const FLOWS = join(import.meta.dirname, 'flows')
const POOL = 'trust'

let sandbox: Sandbox
let server: LocalServer
let client: Client
let said: (() => string)[]

beforeEach(async () => {
  sandbox = new Sandbox()
  said = []
  onTestFailed(() => {
    process.stderr.write(said.map((text) => text()).join('\n---\n'))
  })
  server = await LocalServer.start(sandbox, await freePort(26_300))
  said.push(() => server.stderr)
  client = server.client
  await client.createWorkPool({ name: POOL, type: 'process' })
})
afterEach(() => sandbox.dispose())

function startAgent(...words: string[]): BuiltAgent {
  const { environment } = server
  const started = BuiltAgent.start(sandbox, { pool: POOL, environment, words })
  said.push(() => started.said)
  return started
}

const headgate = (...words: string[]) =>
  sandbox.headgate(words, { env: server.environment, cwd: FLOWS })
const deploy = (...words: string[]) =>
  headgate('deploy', 'journal.ts:journal', '--name', 'e2e', '--pool', POOL, ...words)
const journalFile = () => sandbox.path('journal.jsonl')
const wasExecuted = ({ id }: FlowRun) =>
  readExecutions(journalFile()).some((execution) => execution.run === id)

/** Makes a run and waits for its end. */
async function run(given: DeploymentFlowRunCreate = {}): Promise<FlowRun> {
  const { id } = await client.readDeploymentByName('journal', 'e2e')
  let now = await client.createFlowRunFromDeployment(id, {
    parameters: { file: journalFile(), steps: 1 },
    ...given,
  })
  const isOver = async () => {
    now = await client.readFlowRun(now.id)
    return now.state_type !== null && isTerminal(now.state_type)
  }
  await until(`'${now.name}' ends`, isOver, 60_000)
  return now
}

async function expectRefused(refused: Promise<FlowRun>, words: string): Promise<void> {
  const ended = await refused
  expect(ended.state).toMatchObject({ type: 'CRASHED', message: expect.stringContaining(words) })
  expect(wasExecuted(ended)).toBe(false)
}

it('an agent that demands signatures runs what was signed, and nothing that the API has made of it', async () => {
  const key = sandbox.path('deploy.key')
  expect(await headgate('signing-key', 'create', key)).toMatchObject({ code: 0 })
  expect(statSync(key).mode & 0o777).toBe(0o600)
  const deployed = await deploy('--sign-with', key)
  expect(deployed).toMatchObject({ code: 0, stdout: expect.stringContaining('(signed)') })

  let agent = startAgent('--trusted-keys', `${key}.pub`)
  expect(await run()).toMatchObject({ state_type: 'COMPLETED' })
  await expectRefused(run({ job_variables: { env: { MODE: 'x' } } }), 'env.MODE differs')

  const { id } = await client.readDeploymentByName('journal', 'e2e')
  await client.updateDeployment(id, { job_variables: { env: { MODE: 'x' } } })
  await expectRefused(run(), 'job_configuration.env.MODE differs')
  await client.updateDeployment(id, { job_variables: {}, entrypoint: 'journal.ts:other' })
  await expectRefused(run(), ': entrypoint differs')
  await client.updateDeployment(id, { entrypoint: 'journal.ts:journal' })

  const { base_job_template: template } = await client.readWorkPool(POOL)
  const job = template['job_configuration'] as Record<string, string>
  const other = { ...template, job_configuration: { ...job, command: 'sh -c id' } }
  await client.updateWorkPool(POOL, { base_job_template: other })
  await expectRefused(run(), 'job_configuration.command differs')
  const unseen = await deploy('--sign-with', key)
  expect(unseen).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('job_configuration.command: "sh -c id"'),
  })
  await client.updateWorkPool(POOL, { base_job_template: template })
  expect(await run()).toMatchObject({ state_type: 'COMPLETED' })
  expect(await agent.stop()).toBe(0)

  await client.updateDeployment(id, { job_variables: { env: { MODE: 'x' } } })
  agent = startAgent('--trusted-keys', `${key}.pub`, '--signatures', 'warn')
  const warned = await run()
  expect(warned).toMatchObject({ state_type: 'COMPLETED' })
  await agent.says('job_configuration.env.MODE differs')
  await until('its log has the warning', async () => {
    const logs = await client.filterLogs({ logs: { flow_run_id: { any_: [warned.id] } } })
    return logs.some(({ message }) => message.startsWith('Warning: The agent would refuse'))
  })
  expect(await agent.stop()).toBe(0)
})

it("the policy of the agent's host refuses a command, whoever has asked for it", async () => {
  expect(await deploy()).toMatchObject({ code: 0 })
  const policy = sandbox.path('policy.yaml')
  writeFileSync(policy, 'commands: [headgate flow-run execute]\n', { mode: 0o644 })
  const agent = startAgent('--policy', policy)
  expect(await run()).toMatchObject({ state_type: 'COMPLETED' })
  await expectRefused(
    run({ job_variables: { command: 'sh -c id' } }),
    `rule 'commands' of ${policy} does not allow the command 'sh -c id'`,
  )
  expect(await agent.stop()).toBe(0)
})

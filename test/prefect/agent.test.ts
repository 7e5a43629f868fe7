import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../core/wire/common.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { BuiltAgent } from '../support/node/built-agent.ts'
import { aPrefect, IS_NEWEST } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()
let deployments: Record<string, string>
let agent: BuiltAgent

beforeAll(async () => {
  await prefect.client.createWorkPool({ name: 'p', type: 'process' })
  deployments = {
    ...(await prefect.deploy('long.py', ['long', 'dying', 'chatty'], 'p')),
    ...(await prefect.deploy('hello.py', ['hello'], 'p')),
    ...(await prefect.deploy('waiting.py', ['suspending'], 'p')),
    ...(await prefect.deploy('calling.py', ['parent', 'reading'], 'p')),
  }
})

afterEach(async () => {
  await agent.stop()
})

async function startAgent(...words: string[]): Promise<void> {
  const environment = {
    ...prefect.server.environment,
    PATH: prefect.environment['PATH'] ?? '',
  }
  agent = BuiltAgent.start(prefect.sandbox, { pool: 'p', environment, words })
  prefect.transcript.push(() => `--- agent\n${agent.said}`)
  await agent.says('serves pool')
}

async function trigger(flow: string, parameters: JsonObject = {}, job_variables: JsonObject = {}) {
  const body = { parameters, job_variables }
  return await prefect.client.createFlowRunFromDeployment(deployments[flow] ?? '', body)
}

const hasNote = (what: string, { id }: FlowRun) => existsSync(prefect.sandbox.path(`${what}-${id}`))

describe('our agent runs Python flows', () => {
  it('runs them in the engine of the package, which reports by the token of the run', async () => {
    await startAgent()
    const run = await trigger('hello', { name: 'agent', numbers: 3 })
    const ended = await prefect.ends(run)
    expect(ended).toMatchObject({ state_name: 'Completed', run_count: 1 })
    await until('its tasks are recorded', async () => {
      const tasks = await prefect.client.filterTaskRuns({ flow_runs: { id: { any_: [run.id] } } })
      return tasks.length === 3 && tasks.every(({ state_name }) => state_name === 'Completed')
    })
    // The package sends its last lines after the last state.
    await until('its line is there', async () =>
      (await prefect.messages(run, 'prefect.flow_runs')).includes('hello agent'),
    )
  })

  it('leaves the pull steps of their deployments to the package', async () => {
    await startAgent()
    const { client } = prefect
    const { flow_id } = await client.readDeploymentByName('hello', 'd')
    const step = 'prefect.deployments.steps.'
    const { id } = await client.createDeployment({
      name: 'pulled',
      flow_id,
      entrypoint: 'hello.py:hello',
      work_pool_name: 'p',
      job_variables: { env: { FLOWS: prefect.flows } },
      pull_steps: [
        { [`${step}run_shell_script`]: { id: 'where', script: 'printenv FLOWS' } },
        { [`${step}set_working_directory`]: { directory: '{{ where.stdout }}' } },
      ],
    })
    const run = await client.createFlowRunFromDeployment(id, { parameters: { numbers: 0 } })
    expect(await prefect.ends(run)).toMatchObject({ state_name: 'Completed' })
  })

  it('has the package load what was signed, and ask nobody for it', async () => {
    const key = prefect.sandbox.path('deploy.key')
    const { server, sandbox, flows: cwd, client } = prefect
    const headgate = (...words: string[]) =>
      sandbox.headgate(words, { env: server.environment, cwd })
    await headgate('signing-key', 'create', key)
    const named = ['--name', 'signed', '--pool', 'p']
    const deployed = await headgate('deploy', 'hello.py:hello', ...named, '--sign-with', key)
    expect(deployed).toMatchObject({ code: 0 })
    await startAgent('--trusted-keys', `${key}.pub`)
    const { id } = await client.readDeploymentByName('hello', 'signed')
    const run = await client.createFlowRunFromDeployment(id, { parameters: { numbers: 0 } })
    expect(await prefect.ends(run)).toMatchObject({ state_name: 'Completed' })
    expect((await prefect.messages(run)).join()).not.toContain('pull step')
    const refused = await prefect.ends(await trigger('hello'))
    expect(refused.state?.message).toContain("deployment 'hello/d' is not signed")
  })

  it('lets them start subflows and deployments, and read and write what flows do', async () => {
    await startAgent()
    const run = await trigger('parent')
    expect(await prefect.ends(run)).toMatchObject({ state_name: 'Completed' })
    await prefect.client.createVariable({ name: 'hidden', value: { deep: 1 }, secret: true })
    const reading = await trigger('reading')
    expect(await prefect.ends(reading)).toMatchObject({ state_name: 'Completed' })
  })

  it('starts them anew where they have suspended themselves', async () => {
    await startAgent()
    const run = await trigger('suspending')
    await prefect.reaches(run, 'suspended', ({ state_name }) => state_name === 'Suspended')
    await agent.says('run ended')
    await prefect.client.resumeFlowRun(run.id)
    expect(await prefect.ends(run)).toMatchObject({ state_name: 'Completed', run_count: 1 })
    const states = await prefect.client.readFlowRunStates(run.id)
    expect(states.map(({ name }) => name)).toContain('Resuming')
  })

  it('tells a crash by its exit code, and cancels', async () => {
    await startAgent()
    const [dying, long] = await Promise.all([trigger('dying', { code: 7 }), trigger('long')])
    const crashed = await prefect.ends(dying)
    expect(crashed).toMatchObject({ state_type: 'CRASHED' })
    expect(crashed.state?.message).toContain('7')
    await until('it has begun', async () =>
      (await prefect.messages(long)).join().includes('process'),
    )
    await prefect.client.setFlowRunState(long.id, { type: 'CANCELLING' })
    expect(await prefect.ends(long)).toMatchObject({ state_name: 'Cancelled' })
    if (IS_NEWEST) {
      // In older releases only a runner beside the engine runs this hook.
      await until('its hook has run', () => hasNote('cancelled', long), 60_000)
    }
  })

  it('says what is missing: the package, or Python', async () => {
    const empty = prefect.sandbox.path('bin')
    mkdirSync(empty)
    const bare = prefect.sandbox.path('bare')
    mkdirSync(bare)
    symlinkSync('/bin/false', join(bare, 'python3'))
    await startAgent()
    const [packageless, pythonless] = await Promise.all([
      trigger('hello', {}, { env: { PATH: bare } }),
      trigger('hello', {}, { env: { PATH: empty } }),
    ])
    const first = await prefect.ends(packageless)
    expect(first).toMatchObject({ state_type: 'CRASHED' })
    expect(first.state?.message).toContain("has no package 'prefect': install it there")
    const second = await prefect.ends(pythonless)
    expect(second).toMatchObject({ state_type: 'CRASHED' })
    expect(second.state?.message).toContain("the program 'python' cannot be executed")
  })
})

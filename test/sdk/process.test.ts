import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeApi } from '../support/node/fake-api.ts'
import { startAsAgent, startChild, until } from './run-child.ts'

let api: FakeApi

beforeEach(async () => {
  api = new FakeApi()
  await api.start()
})

afterEach(async () => {
  await api.stop()
})

describe('a run that the agent started', () => {
  test('proposes Running before any other call, ends, exits 0', async () => {
    const run = api.addFlowRun({ parameters: { n: 4 } })
    const child = await startAsAgent(api, run, 'works')
    expect(await child.ended).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })
    expect(api.requests[0]).toMatchObject({ path: `/flow_runs/${run.id}/set_state` })
    expect(api.stateNames(run.id)).toEqual(['Pending', 'Running', 'Completed'])
    expect(run.state?.data).toEqual({ type: 'headgate.json', value: 8 })
    expect(api.messages()).toContain('n is 4')
    expect(api.messages().at(-1)).toBe('Finished in state Completed()')
    expect(api.taskRunStates()).toEqual({ 'double-0': ['Pending', 'Running', 'Completed'] })
    expect(api.logs.every((log) => log.flow_run_id === run.id)).toBe(true)
  })

  test('is retried in its process by the decision of the server', async () => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, 'failsTwice')
    expect(await child.ended).toMatchObject({ code: 0, stderr: '' })
    expect(api.stateNames(run.id)).toEqual([
      'Pending',
      'Running',
      'AwaitingRetry',
      'Retrying',
      'AwaitingRetry',
      'Retrying',
      'Completed',
    ])
    expect(run.state?.data).toEqual({ type: 'headgate.json', value: { tries: 3, attempt: 3 } })
    expect(run.empirical_policy.retries).toBe(2)
  })

  test('waits for its time', async () => {
    const due = new Date(Date.now() + 700).toISOString()
    const run = api.addFlowRun({}, { type: 'PENDING', state_details: { scheduled_time: due } })
    const child = await startAsAgent(api, run, 'works')
    expect(await child.ended).toMatchObject({ code: 0 })
    expect(run.state_type).toBe('COMPLETED')
    expect(run.state?.timestamp.localeCompare(due)).toBe(1)
  })

  test('exits quietly when the server aborts it', async () => {
    const run = api.addFlowRun({}, { type: 'CANCELLED' })
    const child = await startAsAgent(api, run, 'works')
    expect(await child.ended).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('already in terminal state CANCELLED') as string,
    })
    expect(api.stateNames(run.id)).toEqual(['Cancelled'])
    expect(api.events).toEqual([])
  })

  test('exits 1 when its token has ended', async () => {
    const run = api.addFlowRun()
    api.fault = () => ({ status: 403, body: { detail: 'fence 1 is no longer current' } })
    const child = await startAsAgent(api, run, 'works')
    const ended = await child.ended
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('fence 1 is no longer current')
  })

  test.each([
    ['nowhere', /should name a flow that .+ exports; its flows are: .*works/],
    ['notAFlow', /should name a flow/],
  ])('fails with the reason when its flow is not found (%s)', async (exportName, message) => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, exportName)
    expect(await child.ended).toMatchObject({ code: 0 })
    expect(run.state).toMatchObject({ type: 'FAILED' })
    expect(run.state?.message).toMatch(message)
    expect(api.messages().join()).toContain('The flow could not be loaded')
  })

  test('leaves no process behind whatever its code leaves open', async () => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, 'leavesTimer')
    expect(await child.ended).toMatchObject({ code: 0 })
  })

  test('refused parameters fail it without a start', async () => {
    const run = api.addFlowRun({ parameters: { n: 'four' } })
    await (
      await startAsAgent(api, run, 'works')
    ).ended
    expect(api.stateNames(run.id)).toEqual(['Pending', 'Failed'])
    expect(run.state?.message).toContain("parameters of flow 'a flow' are not valid: n:")
  })
})

describe('SIGTERM', () => {
  test.each(['obeys', 'ignores', 'stopsInTask'])(
    'ends a flow that %s, the state is left to the server',
    async (exportName) => {
      const run = api.addFlowRun()
      const child = await startAsAgent(api, run, exportName)
      await until(() => api.messages().includes('waiting'), 'the flow waits')
      api.setState(run, { type: 'CANCELLING' })
      const start = performance.now()
      child.kill('SIGTERM')
      expect(await child.ended).toMatchObject({ code: 1, signal: null })
      expect(performance.now() - start).toBeLessThan(6000)
      expect(api.stateNames(run.id)).toEqual(['Pending', 'Running', 'Cancelling'])
      expect(api.messages()).toContain('Received SIGTERM; stopping')
      expect(api.messages().includes('cleaned up')).toBe(exportName === 'obeys')
    },
  )

  test('cancels the task runs that it stops', async () => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, 'stopsInTask')
    await until(() => api.events.length >= 4, 'both tasks run')
    child.kill('SIGTERM')
    await child.ended
    expect(api.taskRunStates()).toEqual({
      'waits-0': ['Pending', 'Running', 'Cancelled'],
      'waits-1': ['Pending', 'Running', 'Cancelled'],
    })
  })

  test('does not take back what completed anyway', async () => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, 'finishesAnyway')
    await until(() => api.messages().includes('waiting'), 'the flow waits')
    child.kill('SIGTERM')
    expect(await child.ended).toMatchObject({ code: 0 })
    expect(run.state).toMatchObject({ type: 'COMPLETED', data: { value: 'done' } })
  })

  test('while the API is down, the process ends all the same', async () => {
    const run = api.addFlowRun()
    api.fault = () => 'cut'
    const child = await startAsAgent(api, run, 'works')
    await until(() => api.requests.length >= 2, 'it tries again')
    child.kill('SIGTERM')
    expect(await child.ended).toMatchObject({ code: 1 })
  })
})

describe('the end of the process', () => {
  test('process.exit() in the code loses no line and no event', async () => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, 'exits')
    expect(await child.ended).toMatchObject({ code: 7 })
    const lines = api.messages().filter((message) => message.startsWith('line '))
    expect(lines).toEqual(Array.from({ length: 1500 }, (_, line) => `line ${line}`))
    expect(api.messages().at(-1)).toContain('exited with code 7 before the flow run had ended')
    expect(api.taskRunStates()['double-0']).toEqual(['Pending', 'Running', 'Completed'])
    // Whether it crashed is for the agent to say.
    expect(run.state_type).toBe('RUNNING')
  })

  test('an uncaught exception crashes the run with its reason', async () => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, 'throwsOutside')
    expect(await child.ended).toMatchObject({ code: 0 })
    expect(run.state).toMatchObject({ type: 'CRASHED' })
    expect(run.state?.message).toContain('TypeError: thrown in a timer')
    expect(api.messages()).toContain('before')
    expect(api.messages().join()).toContain('Uncaught exception: TypeError: thrown in a timer')
  })

  test('a run that nobody watches is reported as crashed', async () => {
    const run = api.addFlowRun()
    const child = startChild(new URL('./flows/exits-called.ts', import.meta.url).pathname, {
      ...api.environment(),
    })
    expect(await child.ended).toMatchObject({ code: 7 })
    const called = api.flowRuns.find(({ id }) => id !== run.id)
    expect(called?.state).toMatchObject({
      type: 'CRASHED',
      message: 'The process exited with code 7 before the flow run had ended',
    })
  })
})

test('many runs called at once share the process', async () => {
  const script = new URL('./flows/many-called.ts', import.meta.url).pathname
  const ended = await startChild(script, api.environment()).ended
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(api.flowRuns.map((run) => run.state_type)).toEqual(Array(30).fill('COMPLETED'))
})

describe('an outage of the API', () => {
  test('in the middle of a run delays, and loses nothing', async () => {
    const run = api.addFlowRun()
    const child = await startAsAgent(api, run, 'slow')
    await until(() => run.state_type === 'RUNNING', 'it runs')
    const faults = ['cut', { status: 503 }, 'cut after', { status: 502, body: 'a proxy' }] as const
    let fault = 0
    const end = Date.now() + 4000
    api.fault = () => (Date.now() < end ? faults[(fault += 1) % faults.length] : undefined)
    expect(await child.ended).toMatchObject({ code: 0 })
    expect(Date.now()).toBeGreaterThan(end)
    // The answers that were cut off had taken effect, and the transition id kept them from counting twice.
    expect(api.stateNames(run.id)).toEqual(['Pending', 'Running', 'Completed'])
    expect(new Set(api.messages())).toEqual(
      new Set([
        `Beginning flow run '${run.name}' for flow 'a flow'`,
        'begin',
        'end',
        'Finished in state Completed',
        'Finished in state Completed()',
      ]),
    )
    expect(api.taskRunStates()).toEqual({
      'double-0': ['Pending', 'Running', 'Completed'],
      'double-1': ['Pending', 'Running', 'Completed'],
    })
  })
})

describe('called from a script', () => {
  test('SIGINT cancels the run and ends the process as it would have ended without it', async () => {
    const script = new URL('./flows/waits-called.ts', import.meta.url).pathname
    const child = startChild(script, api.environment())
    await until(() => api.flowRuns[0]?.state_type === 'RUNNING', 'it runs')
    child.kill('SIGINT')
    const ended = await child.ended
    expect(ended).toMatchObject({ signal: 'SIGINT' })
    expect(ended.stdout).toContain('Received SIGINT; stopping')
    expect(api.flowRuns[0]?.state).toMatchObject({ type: 'CANCELLED' })
  })

  test('without an API it prints and exits by itself', async () => {
    const script = new URL('./flows/local-called.ts', import.meta.url).pathname
    const ended = await startChild(script, {}).ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain('n is 3')
    expect(ended.stdout.trim().split('\n').at(-1)).toBe('value 6')
  })
})

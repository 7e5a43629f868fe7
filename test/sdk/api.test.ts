import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { failed, flow, runDeployment, runDeployments, task } from '#sdk/index.ts'
import { FakeApi } from '../support/node/fake-api.ts'
import { startAsAgent } from './run-child.ts'

let api: FakeApi

beforeEach(async () => {
  api = new FakeApi()
  await api.start()
  vi.stubEnv('HEADGATE_API_URL', api.url)
  vi.stubEnv('HEADGATE_API_KEY', api.key)
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await api.stop()
})

describe('a flow called with an API', () => {
  test('is a run of the API, with its parameters, tags and policy', async () => {
    const add = flow(
      {
        name: 'add',
        parameters: z.object({ a: z.number(), b: z.number().default(2) }),
        tags: ['sums'],
        retries: 1,
      },
      ({ a, b }) => a + b,
    )
    expect(await add({ a: 1 })).toBe(3)
    const [run] = api.flowRuns
    expect(run).toMatchObject({
      parameters: { a: 1 },
      tags: ['sums'],
      empirical_policy: { retries: 1, retry_delay: 0 },
      state_type: 'COMPLETED',
    })
    expect(api.flows.map(({ name }) => name)).toContain('add')
  })

  test('a lost answer to its creation makes no second run', async () => {
    let cuts = 0
    api.fault = ({ path }) =>
      path === '/flow_runs/' && (cuts += 1) === 1 ? 'cut after' : undefined
    await flow({ name: 'once' }, () => 1)()
    expect(api.flowRuns).toHaveLength(1)
  })

  test('a failed state that it returns is retried like an error', async () => {
    let calls = 0
    const stale = flow({ name: 'stale', retries: 1 }, () => {
      calls += 1
      return calls === 1 ? failed('stale') : 'fresh'
    })
    expect(await stale()).toBe('fresh')
    expect(api.stateNames(api.flowRuns[0]?.id ?? '')).toEqual([
      'Pending',
      'Running',
      'AwaitingRetry',
      'Retrying',
      'Completed',
    ])
  })

  test('a value that the API refuses does not cost the end', async () => {
    api.fault = ({ body }) =>
      JSON.stringify(body ?? null).includes('"value":"secret"') ? { status: 422 } : undefined
    expect(await flow({ name: 'refused' }, () => 'secret')()).toBe('secret')
    expect(api.flowRuns[0]?.state).toMatchObject({ type: 'COMPLETED', data: null })
    expect(api.messages().join()).toContain('The API does not keep the returned value')
  })

  test('a policy that the run may not set does not cost the end', async () => {
    const run = api.addFlowRun()
    api.fault = ({ method }) => (method === 'PATCH' ? { status: 403 } : undefined)
    const child = await startAsAgent(api, run, 'failsTwice')
    expect(await child.ended).toMatchObject({ code: 0 })
    expect(api.stateNames(run.id)).toEqual(['Pending', 'Running', 'Failed'])
  })

  test('log lines carry run, task run, level and an increasing time', async () => {
    const speaks = task({ name: 'speaks' }, (_: unknown, { logger }) => logger.error('in a task'))
    await flow({ name: 'logs' }, async (_, { logger }) => {
      logger.debug('not kept')
      logger.warning('in a flow')
      await speaks()
    })()
    expect(api.logs.find(({ message }) => message === 'in a flow')).toMatchObject({
      name: 'headgate.flow_runs',
      level: 30,
      flow_run_id: api.flowRuns[0]?.id,
    })
    const line = api.logs.find(({ message }) => message === 'in a task')
    expect(line).toMatchObject({ name: 'headgate.task_runs', level: 40 })
    expect(`prefect.task-run.${line?.task_run_id}`).toBe(
      api.events[0]?.resource['prefect.resource.id'],
    )
    expect(api.messages()).not.toContain('not kept')
    const times = api.logs.map(({ timestamp }) => timestamp)
    expect(times).toEqual([...new Set(times)].toSorted())
  })
})

function firstEvent(taskRunName: string) {
  return api.events.find(({ resource }) => resource['prefect.resource.name'] === taskRunName)
}

function taskRunId(taskRunName: string): string | undefined {
  return firstEvent(taskRunName)?.resource['prefect.resource.id']?.slice('prefect.task-run.'.length)
}

describe('task run events', () => {
  test('have the shape that the recorder reads', async () => {
    let calls = 0
    const source = task({ name: 'source' }, () => ({ rows: [1] }))
    const flaky = task(
      { name: 'flaky', tags: ['t', 'a'], retries: 2, retryDelaySeconds: [0.05, 1] },
      ({ n }: { data: unknown; more: unknown; n: number }) => {
        calls += n
        if (calls === 1) {
          throw new Error('once')
        }
      },
    )
    await flow({ name: 'tells', tags: ['a', 'b'] }, async () => {
      const awaited = await source()
      await flaky({ data: source.submit(), more: awaited, n: 1 })
    })()
    expect(api.taskRunStates()).toEqual({
      'source-0': ['Pending', 'Running', 'Completed'],
      'source-1': ['Pending', 'Running', 'Completed'],
      'flaky-0': ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'Completed'],
    })
    const events = api.events.filter(
      ({ resource }) => resource['prefect.resource.name'] === 'flaky-0',
    )
    const run = api.flowRuns[0]
    const flowRow = api.flows.find(({ name }) => name === 'tells')
    const [pending, running, awaiting, retrying] = events
    expect(pending?.follows).toBeUndefined()
    expect(running?.follows).toBe(pending?.id)
    expect(pending?.payload).toMatchObject({
      intended: { from: null, to: 'PENDING' },
      initial_state: null,
    })
    expect(awaiting).toEqual({
      id: awaiting?.id,
      occurred: awaiting?.occurred,
      event: 'prefect.task-run.AwaitingRetry',
      follows: running?.id,
      resource: {
        'prefect.resource.id': `prefect.task-run.${taskRunId('flaky-0')}`,
        'prefect.resource.name': 'flaky-0',
        'prefect.run-count': '1',
        'prefect.state-message': '',
        'prefect.state-name': 'AwaitingRetry',
        'prefect.state-timestamp': awaiting?.occurred,
        'prefect.state-type': 'SCHEDULED',
        'prefect.orchestration': 'client',
      },
      related: [
        { 'prefect.resource.id': 'prefect.tag.a', 'prefect.resource.role': 'tag' },
        { 'prefect.resource.id': 'prefect.tag.t', 'prefect.resource.role': 'tag' },
        {
          'prefect.resource.id': `prefect.flow-run.${run?.id}`,
          'prefect.resource.role': 'flow-run',
          'prefect.resource.name': run?.name,
        },
        {
          'prefect.resource.id': `prefect.flow.${flowRow?.id}`,
          'prefect.resource.role': 'flow',
          'prefect.resource.name': 'tells',
        },
        { 'prefect.resource.id': 'prefect.tag.b', 'prefect.resource.role': 'tag' },
      ],
      payload: {
        intended: { from: 'RUNNING', to: 'SCHEDULED' },
        initial_state: { type: 'RUNNING', name: 'Running', message: '', state_details: {} },
        validated_state: {
          type: 'SCHEDULED',
          name: 'AwaitingRetry',
          message: '',
          state_details: { scheduled_time: expect.any(String) as string },
          data: null,
        },
        task_run: {
          name: 'flaky-0',
          task_key: expect.stringMatching(/^flaky-[0-9a-f]{8}$/) as string,
          dynamic_key: expect.any(String) as string,
          empirical_policy: {
            max_retries: 0,
            retry_delay_seconds: 0,
            retries: 2,
            retry_delay: [0.05, 1],
          },
          tags: ['t', 'a'],
          labels: {},
          task_inputs: {
            data: [{ input_type: 'task_run', id: taskRunId('source-1') }],
            more: [{ input_type: 'task_run', id: taskRunId('source-0') }],
            n: [],
          },
          run_count: 1,
          flow_run_run_count: 1,
          expected_start_time: pending?.occurred,
          next_scheduled_start_time: expect.any(String) as string,
          start_time: running?.occurred,
          total_run_time: expect.any(Number) as number,
        },
      },
    })
    expect(retrying?.payload?.['task_run']).toMatchObject({ run_count: 2 })
    expect(events.at(-1)?.payload?.['task_run']).toMatchObject({
      end_time: events.at(-1)?.occurred,
    })
  })

  test('a task within a task names its parent', async () => {
    const leaf = task({ name: 'leaf' }, () => 1)
    const branch = task({ name: 'branch' }, () => leaf())
    await flow({ name: 'nests' }, () => branch())()
    const parent = firstEvent('branch-0')?.resource['prefect.resource.id']?.slice(17)
    expect(firstEvent('leaf-0')?.payload?.['task_run']).toMatchObject({
      task_inputs: { __parents__: [{ input_type: 'task_run', id: parent }] },
    })
  })
})

describe('subflows', () => {
  const child = flow({ name: 'child' }, ({ n }: { n: number }, { logger }) => {
    logger.info('child %d', n)
    return n * 10
  })

  test('are tracked by a task run and have a run with the task run as its parent', async () => {
    const one = task({ name: 'one' }, () => 1)
    const parent = flow({ name: 'parent' }, async () => {
      const values = await Promise.all([child({ n: one.submit() }), child({ n: 2 })])
      return values
    })
    expect(await parent()).toEqual([10, 20])
    const parentRun = api.flowRuns.find(({ parent_task_run_id }) => parent_task_run_id === null)
    const tracking = api.taskRuns.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    expect(tracking).toMatchObject([
      { name: 'child-0', dynamic_key: '0', flow_run_id: parentRun?.id, state_type: 'COMPLETED' },
      { name: 'child-1', dynamic_key: '1', flow_run_id: parentRun?.id },
    ])
    expect(tracking[0]?.task_inputs['n']).toHaveLength(1)
    const children = api.flowRuns.filter((run) => run.parent_task_run_id !== null)
    expect(new Set(children.map((run) => run.parameters['n']))).toEqual(new Set([1, 2]))
    expect(children.map((run) => run.state_type)).toEqual(['COMPLETED', 'COMPLETED'])
  })

  test('that completed are not run again when the parent is', async () => {
    let calls = 0
    const counted = flow({ name: 'counted' }, () => (calls += 1))
    const parent = flow({ name: 'parent', retries: 1 }, async (_, { attempt }) => {
      const value = await counted()
      if (attempt === 1) {
        throw new Error('after the child')
      }
      return value
    })
    expect(await parent()).toBe(1)
    expect(calls).toBe(1)
  })

  test('that failed get a new run when the parent is run again', async () => {
    let calls = 0
    const flaky = flow({ name: 'flaky' }, () => {
      calls += 1
      if (calls === 1) {
        throw new Error('once')
      }
      return 'ok'
    })
    const parent = flow({ name: 'parent', retries: 1 }, () => flaky())
    expect(await parent()).toBe('ok')
    expect(api.flowRuns.map((run) => run.state_type)).toEqual(['COMPLETED', 'FAILED', 'COMPLETED'])
  })

  test('a failed subflow throws its error in the parent', async () => {
    const fails = flow({ name: 'fails' }, (): void => {
      throw new RangeError('no')
    })
    await expect(flow({ name: 'parent' }, () => fails())()).rejects.toThrow(new RangeError('no'))
  })

  test('that the server aborts throw RunAborted', async () => {
    api.fault = ({ path }) => {
      const run = api.flowRuns.find(({ id }) => path === `/flow_runs/${id}/set_state`)
      if (run?.parent_task_run_id != null && run.state_type === 'PENDING') {
        api.setState(run, { type: 'CANCELLED' })
      }
      return undefined
    }
    const parent = flow({ name: 'parent' }, () => child({ n: 1 }))
    await expect(parent()).rejects.toThrow('Run is already in terminal state CANCELLED')
  })
})

describe('runDeployment', () => {
  const target = flow(
    { name: 'target', parameters: z.object({ day: z.string() }) },
    ({ day }) => day,
  )

  test('makes a run and gives it at once', async () => {
    await target.deploy({ name: 'd', workPool: 'p', entrypoint: 'a.ts:target' })
    const run = await runDeployment('target/d', { parameters: { day: 'x' }, tags: ['t'] })
    expect(run).toMatchObject({ parameters: { day: 'x' }, state_type: 'SCHEDULED' })
  })

  test('makes many at once, in their order', async () => {
    await target.deploy({ name: 'd', workPool: 'p', entrypoint: 'a.ts:target' })
    const made = await runDeployments(
      'target/d',
      ['x', 'y'].map((day) => ({ parameters: { day }, tags: [day] })),
    )
    expect(made.map(({ created }) => created)).toEqual([true, true])
    const days = made.map(({ id }) => api.flowRuns.find((run) => run.id === id)?.parameters)
    expect(days).toEqual([{ day: 'x' }, { day: 'y' }])
  })

  test('waits for the end; within a flow it is a subflow', async () => {
    await target.deploy({ name: 'd', workPool: 'p', entrypoint: 'a.ts:target' })
    const parent = flow({ name: 'parent' }, async () => {
      const run = await runDeployment('target/d', { wait: true, pollSeconds: 0.02 })
      return run.state_name
    })
    const value = parent()
    await expect.poll(() => api.flowRuns.find((run) => run.deployment_id !== null)).toBeDefined()
    const run = api.flowRuns.find((one) => one.deployment_id !== null)
    expect(run?.parent_task_run_id).toBe(api.taskRuns[0]?.id)
    api.setState(run ?? api.addFlowRun(), { type: 'FAILED', name: 'Broken' })
    expect(await value).toBe('Broken')
  })

  test('gives up waiting in time, and refuses a name that is none', async () => {
    await target.deploy({ name: 'd', workPool: 'p', entrypoint: 'a.ts:target' })
    await expect(
      runDeployment('target/d', { wait: true, timeoutSeconds: 0.05, pollSeconds: 0.02 }),
    ).rejects.toThrow('has not ended within 0.05 seconds; it is Scheduled')
    await expect(runDeployment('target')).rejects.toThrow("named as flow/deployment, got 'target'")
    await expect(runDeployment('target/none')).rejects.toThrow('404')
  })
})

test('5,000 lines arrive, each once, in order', async () => {
  const run = api.addFlowRun()
  await (
    await startAsAgent(api, run, 'logsMuch')
  ).ended
  const lines = api.messages().filter((message) => message.startsWith('line '))
  expect(lines.map((line) => Number(line.split(' ')[1]))).toEqual(
    Array.from({ length: 5000 }, (_, line) => line),
  )
  const batches = api.requests.filter(({ path }) => path === '/logs/')
  expect(batches.length).toBeLessThan(30)
})

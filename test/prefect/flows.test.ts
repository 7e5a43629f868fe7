import { beforeAll, describe, expect, it } from 'vitest'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import type { TaskRun } from '../../core/wire/task-run.ts'
import { aPrefect } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()

/** What `features.py` prints of a flow. */
interface Told {
  flow: string
  /** One for each time that the flow's function was called. */
  runs: string[]
  result: unknown
  error: string | null
  notes: string[]
}

const FLOWS = [
  'tasks',
  'atasks',
  'retrying',
  'parent',
  'aparent',
  'slow',
  'slow_inside',
  'caching',
  'transacting',
  'given_state',
  'given_failed_task',
  'interrupted',
  'runtime',
]
const told = new Map<string, Told>()

beforeAll(async () => {
  // All that they ask for, a run may ask for with its token.
  const env = await prefect.insideRun()
  const { code, stdout, stderr } = await prefect.python('features.py', FLOWS, { env })
  if (code !== 0) {
    throw new Error(`features.py failed: ${stderr}`)
  }
  const lines = stdout.split('\n').filter((line) => line.startsWith('{"flow"'))
  for (const line of lines) {
    const said = JSON.parse(line) as Told
    told.set(said.flow, said)
  }
})

async function ran(flow: string): Promise<Told & { run: FlowRun }> {
  const said = told.get(flow)
  if (said === undefined) {
    throw new Error(`features.py has not told of ${flow}`)
  }
  return { ...said, run: await prefect.client.readFlowRun(said.runs[0] ?? '') }
}

/** The task runs of a run, by name, once there are so many. */
async function taskRuns(run: FlowRun, count: number): Promise<TaskRun[]> {
  let found: TaskRun[] = []
  await until(`${count} task runs are recorded and over`, async () => {
    found = await prefect.client.filterTaskRuns({
      flow_runs: { id: { any_: [run.id] } },
      sort: 'NAME_ASC',
    })
    return found.length === count && found.every(({ end_time }) => end_time !== null)
  })
  return found
}

async function stateNames(run: FlowRun): Promise<string[]> {
  const states = await prefect.client.readFlowRunStates(run.id)
  return states.map(({ name }) => name)
}

async function taskStateNames(run: TaskRun): Promise<string[]> {
  const states = await prefect.client.readTaskRunStates(run.id)
  return states.map(({ name }) => name)
}

describe('tasks', () => {
  it('are submitted, mapped and waited for, and recorded with what they depend on', async () => {
    const { result, run } = await ran('tasks')
    expect(result).toBe(390)
    expect(run).toMatchObject({
      name: 'tasks-20',
      state_name: 'Completed',
      tags: ['features'],
      parameters: { size: 20 },
      run_count: 1,
    })
    expect(await stateNames(run)).toEqual(['Pending', 'Running', 'Completed'])
    const found = await taskRuns(run, 23)
    const sum = found.at(-1)
    expect(sum).toMatchObject({ name: 'sum-of-20', state_name: 'Completed', run_count: 1 })
    expect(new Set(sum?.tags)).toEqual(new Set(['sum', 'late', 'features']))
    expect(sum?.task_inputs['wait_for']).toHaveLength(1)
    expect(sum && (await taskStateNames(sum))).toEqual(['Pending', 'Running', 'Completed'])
    const keys = found
      .filter(({ task_key }) => task_key.startsWith('double'))
      .map((task) => task.dynamic_key)
    expect(new Set(keys).size).toBe(22)
  })

  it('say what they say: complete and in order', async () => {
    const { run } = await ran('tasks')
    const printed = async () =>
      (await prefect.messages(run, 'prefect.flow_runs')).filter((line) => line.startsWith('line'))
    await until('all lines are there', async () => (await printed()).length >= 5)
    expect(await printed()).toEqual(['line 0', 'line 1', 'line 2', 'line 3', 'line 4'])
    const finished = (await prefect.messages(run, 'prefect.task_runs')).filter((line) =>
      line.startsWith('Finished in state Completed'),
    )
    expect(finished).toHaveLength(23)
  })

  it('are awaited side by side', async () => {
    const { result, run } = await ran('atasks')
    expect(result).toBe(90)
    await taskRuns(run, 10)
  })
})

describe('retries', () => {
  it('of a task and of its flow are counted and waited for', async () => {
    const { result, run, notes } = await ran('retrying')
    expect(result).toBe(4)
    expect(notes).toEqual(['completion:Completed'])
    expect(run).toMatchObject({ state_name: 'Completed', run_count: 2 })
    expect(await stateNames(run)).toEqual([
      'Pending',
      'Running',
      'AwaitingRetry',
      'Running',
      'Completed',
    ])
    const [task] = await taskRuns(run, 2).then((found) =>
      found.toSorted((a, b) => b.run_count - a.run_count),
    )
    expect(task).toMatchObject({ run_count: 3, state_name: 'Completed' })
    expect(task && (await taskStateNames(task))).toEqual([
      'Pending',
      'Running',
      'AwaitingRetry',
      'Retrying',
      'AwaitingRetry',
      'Retrying',
      'Completed',
    ])
  })
})

describe('subflows', () => {
  it('are runs of their own, each behind a task run of its parent', async () => {
    const { result, run } = await ran('parent')
    expect(result).toBe(8)
    const tracking = await taskRuns(run, 3)
    const children = await prefect.client.filterFlowRuns({
      flow_runs: { parent_task_run_id: { any_: tracking.map(({ id }) => id) } },
    })
    expect(
      children.map(({ state_name }) => String(state_name)).toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(['Completed', 'Completed', 'Failed'])
    for (const { id, state_name, state } of tracking) {
      const child = children.find(({ parent_task_run_id }) => parent_task_run_id === id)
      expect(state_name).toBe(child?.state_name)
      expect(state?.state_details.child_flow_run_id).toBe(child?.id)
    }
  })

  it('run side by side', async () => {
    const { result, run } = await ran('aparent')
    expect(result).toBe(10)
    const tracking = await taskRuns(run, 4)
    const children = await prefect.client.filterFlowRuns({
      flow_runs: { parent_task_run_id: { any_: tracking.map(({ id }) => id) } },
    })
    expect(children.map(({ state_name }) => state_name)).toEqual(
      Array.from({ length: 4 }, () => 'Completed'),
    )
    const lastStart = Math.max(...children.map(({ start_time }) => Date.parse(start_time ?? '')))
    const firstEnd = Math.min(...children.map(({ end_time }) => Date.parse(end_time ?? '')))
    expect(lastStart).toBeLessThan(firstEnd)
  })
})

describe('what ends otherwise', () => {
  it('a flow that takes too long', async () => {
    const { error, notes, run } = await ran('slow')
    expect(error).toBe('FlowRunTimeoutError')
    expect(run).toMatchObject({ state_type: 'FAILED', state_name: 'TimedOut' })
    expect(notes).toEqual(['failure:TimedOut'])
  })

  it('a task that takes too long', async () => {
    const { error, run } = await ran('slow_inside')
    expect(error).toBe('TaskRunTimeoutError')
    expect(run).toMatchObject({ state_type: 'FAILED' })
    expect(await taskRuns(run, 1)).toMatchObject([{ state_name: 'TimedOut' }])
  })

  it('a state that the flow makes, a task that says so, an interrupt', async () => {
    const given = await ran('given_state')
    expect(given.run).toMatchObject({ state_type: 'COMPLETED', state_name: 'Satisfied' })
    expect(given.run.state?.message).toBe('By hand')
    const failed = await ran('given_failed_task')
    expect(failed.run).toMatchObject({ state_type: 'FAILED' })
    expect(failed.notes).toEqual(['failure:Failed'])
    expect(await taskRuns(failed.run, 1)).toMatchObject([{ state_name: 'Failed' }])
    const interrupted = await ran('interrupted')
    expect(interrupted.run).toMatchObject({ state_type: 'CRASHED' })
    expect(interrupted.notes).toEqual(['crash:Crashed'])
  })
})

describe('results', () => {
  it('are kept, and found again by a cache', async () => {
    const { result, notes, run } = await ran('caching')
    expect(result).toBeCloseTo(14 / 3)
    expect(notes).toEqual(['once'])
    expect(run.state?.data).toMatchObject({ storage_key: expect.any(String) as string })
    const names = (await taskRuns(run, 2)).map(({ state_name }) => state_name)
    expect(new Set(names)).toEqual(new Set(['Completed', 'Cached']))
  })

  it('are rolled back with their transaction', async () => {
    const { error, notes, run } = await ran('transacting')
    expect(error).toBe('ValueError')
    expect(notes).toContain('rolled back')
    expect(run).toMatchObject({ state_type: 'FAILED' })
    await taskRuns(run, 2)
  })

  it('and the run itself can be read from inside', async () => {
    const { result, run } = await ran('runtime')
    expect(result).toEqual({ name: run.name, count: 1, tags: ['features'] })
    await until('the warning is there', async () =>
      (await prefect.messages(run)).includes('careful'),
    )
  })
})

describe('prefect flow-run', () => {
  it('lists, inspects, shows logs, and deletes', async () => {
    const { run } = await ran('tasks')
    const [listed, inspected, logs, tail] = await Promise.all([
      prefect.succeeds(['flow-run', 'ls', '--flow-name', 'tasks']),
      prefect.json<FlowRun>(['flow-run', 'inspect', run.id, '--output', 'json']),
      prefect.succeeds(['flow-run', 'logs', run.id]),
      prefect.succeeds(['flow-run', 'logs', run.id, '--tail', '--num-logs', '1']),
    ])
    expect(listed).toContain(run.id)
    expect(listed).not.toContain('retrying')
    expect(inspected).toMatchObject({ id: run.id, name: 'tasks-20', state: { type: 'COMPLETED' } })
    const lines = logs.split('\n').filter((line) => line.includes("'tasks-20' - line "))
    expect(lines.map((line) => line.slice(-6))).toEqual([
      'line 0',
      'line 1',
      'line 2',
      'line 3',
      'line 4',
    ])
    expect(tail.trim().split('\n')).toHaveLength(1)
    await prefect.succeeds(['flow-run', 'delete', run.id])
    expect(await prefect.fails(['flow-run', 'inspect', run.id])).toContain('not found')
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { aPrefect, type PrefectProcess } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()
let workers: PrefectProcess[] = []

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()))
  workers = []
})

async function startTaskWorker(): Promise<PrefectProcess> {
  const worker = prefect.spawnPython('background.py', ['serve'])
  workers.push(worker)
  const count = workers.length
  await until('the task worker listens', async () => (await listening()).length === count, 60_000)
  return worker
}

const listening = async () => await prefect.client.filterTaskWorkers()

async function says<T>(words: string[]): Promise<T> {
  const { stdout, stderr } = await prefect.python('background.py', words, {
    env: await prefect.insideRun(),
  })
  const last = stdout.trim().split('\n').at(-1) ?? ''
  try {
    return JSON.parse(last) as T
  } catch (error) {
    throw new Error(`background.py: ${stdout}${stderr}`, { cause: error })
  }
}

/** Ends only when all of them are over. */
async function completed(ids: string[]): Promise<void> {
  const filter = { id: { any_: ids }, state: { type: { any_: ['COMPLETED' as const] } } }
  const count = async () => await prefect.client.countTaskRuns({ task_runs: filter })
  await until('all are completed', async () => (await count()) === ids.length, 60_000)
}

describe('task.delay() and serve()', () => {
  it('run tasks in the workers that serve them, each once, and hand back what came of them', async () => {
    await startTaskWorker()
    await startTaskWorker()
    const { sums, pids, again } = await says<{ sums: number[]; pids: number[]; again: string }>([
      'submit',
      '8',
    ])
    expect(sums).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(pids).toHaveLength(2)
    expect(again).toBe('X')
    const [one] = await listening()
    expect(one?.task_keys).toHaveLength(3)
  })

  it('wait for a worker that comes later', async () => {
    const ids = await says<string[]>(['submit_and_leave', '3'])
    const [id = ''] = ids
    expect(await prefect.client.readTaskRun(id)).toMatchObject({ state_name: 'Scheduled' })
    await startTaskWorker()
    await completed(ids)
  })

  it('go on when a worker was killed and when the server was started again', async () => {
    const first = await startTaskWorker()
    first.signal('SIGKILL')
    await until('it is missed', async () => (await listening()).length === 0)
    workers = []
    const ids = await says<string[]>(['submit_and_leave', '2'])
    prefect.server.signal('SIGTERM')
    await prefect.server.exit()
    await prefect.startServer()
    await startTaskWorker()
    await completed(ids)
    expect(await listening()).toHaveLength(1)
  })
})

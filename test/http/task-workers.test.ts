import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { TaskRun } from '#core/wire/task-run.ts'
import { eventStreamStub, taskQueueStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { API_URL, aWorkspace, fetchWorker, type TestWorkspace } from '../support/workspace.ts'
import { eventually } from '../support/eventually.ts'

const SOCKET = `${API_URL}/task_runs/subscriptions/scheduled`

/** A task worker's socket, as Prefect's client holds it. */
class TaskWorker {
  readonly received: TaskRun[] = []
  ended: { code: number; reason: string } | undefined
  isIn = false
  readonly #socket: WebSocket

  constructor(response: Response) {
    if (response.webSocket === null) {
      throw new Error(`no socket: ${response.status}`)
    }
    this.#socket = response.webSocket
    this.#socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data)) as TaskRun | { type: 'auth_success' }
      if ('type' in frame) {
        this.isIn = true
      } else {
        this.received.push(frame)
      }
    })
    this.#socket.addEventListener('close', ({ code, reason }) => {
      this.ended = { code, reason }
    })
    this.#socket.accept()
  }

  send(frame: unknown): void {
    this.#socket.send(JSON.stringify(frame))
  }

  ack(): void {
    this.send({ type: 'ack' })
  }

  close(): void {
    this.#socket.close(1000, 'done')
  }

  async has(count: number): Promise<string[]> {
    await eventually(() => this.received.length >= count)
    return this.received.map(({ id }) => id)
  }
}

async function openSocket(): Promise<TaskWorker> {
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'prefect' }
  return new TaskWorker(await fetchWorker(SOCKET, { headers }))
}

async function aTaskWorker({ key, client }: TestWorkspace, keys: string[], name = 'worker') {
  const worker = await openSocket()
  worker.send({ type: 'auth', token: key })
  worker.send({ type: 'subscribe', keys, client_id: name })
  await eventually(async () =>
    (await client.filterTaskWorkers()).some(({ identifier }) => identifier === name),
  )
  return worker
}

/** As `task.delay()` does. */
async function delay({ client }: TestWorkspace, taskKey = 'task', name = 'Scheduled') {
  const state = { type: 'SCHEDULED' as const, name, state_details: { deferred: true } }
  const create = { task_key: taskKey, dynamic_key: crypto.randomUUID(), state }
  return (await client.createTaskRun(create)).id
}

const pause = async () => await new Promise((resolve) => setTimeout(resolve, 100))

describe('a deferred task run', () => {
  test('goes to a worker of its key, one after another', async () => {
    const workspace = await aWorkspace()
    const [first, other] = [await delay(workspace), await delay(workspace, 'other')]
    const worker = await aTaskWorker(workspace, ['task', 'unused'])
    expect(await worker.has(1)).toEqual([first])
    expect(worker.received[0]).toMatchObject({
      task_key: 'task',
      state: { type: 'SCHEDULED', state_details: { deferred: true } },
    })
    const second = await delay(workspace)
    await pause()
    expect(worker.received).toHaveLength(1)
    worker.ack()
    expect(await worker.has(2)).toEqual([first, second])
    worker.ack()
    const late = await aTaskWorker(workspace, ['other'], 'late')
    expect(await late.has(1)).toEqual([other])
  })

  test('goes to one worker only, and all get their share', async () => {
    const workspace = await aWorkspace()
    const workers = [
      await aTaskWorker(workspace, ['task'], 'a'),
      await aTaskWorker(workspace, ['task'], 'b'),
    ]
    const made: string[] = []
    for (let count = 0; count < 6; count += 1) {
      made.push(await delay(workspace))
      await eventually(
        () => workers.reduce((sum, { received }) => sum + received.length, 0) > count,
      )
      workers.forEach((worker) => {
        worker.ack()
      })
    }
    expect(workers.map(({ received }) => received.length)).toEqual([3, 3])
    expect(new Set(workers.flatMap(({ received }) => received.map(({ id }) => id)))).toEqual(
      new Set(made),
    )
  })

  test('that was not acknowledged goes to the next worker first, one that was does not', async () => {
    const workspace = await aWorkspace()
    const [first, second, third] = [
      await delay(workspace),
      await delay(workspace),
      await delay(workspace),
    ]
    const dies = await aTaskWorker(workspace, ['task'], 'dies')
    await dies.has(1)
    dies.ack()
    expect(await dies.has(2)).toEqual([first, second])
    const fresh = await delay(workspace)
    dies.close()
    await eventually(async () => (await workspace.client.filterTaskWorkers()).length === 0)
    const heir = await aTaskWorker(workspace, ['task'], 'heir')
    for (const count of [1, 2, 3]) {
      await heir.has(count)
      heir.ack()
    }
    expect(await heir.has(3)).toEqual([second, third, fresh])
  })

  test('that is to be tried again is served before new ones', async () => {
    const workspace = await aWorkspace()
    const [fresh, again] = [await delay(workspace), await delay(workspace, 'task', 'AwaitingRetry')]
    const worker = await aTaskWorker(workspace, ['task'])
    await worker.has(1)
    worker.ack()
    expect(await worker.has(2)).toEqual([again, fresh])
  })

  test('is queued once, however often its scheduling is told', async () => {
    const workspace = await aWorkspace()
    const id = await delay(workspace)
    const run = await workspace.client.readTaskRun(id)
    const queue = taskQueueStub(workspace.workspace)
    await queue.enqueue(run, Date.now() * 1000)
    const worker = await aTaskWorker(workspace, ['task'])
    await worker.has(1)
    await queue.enqueue(run, Date.now() * 1000)
    worker.ack()
    await pause()
    await queue.enqueue(run, Date.now() * 1000)
    await pause()
    expect(worker.received).toHaveLength(1)
  })

  test('is told by its stream until the queue has taken it', async () => {
    const workspace = await aWorkspace()
    const stream = asStub(eventStreamStub(workspace.workspace, null))
    const break_ = async (isBroken: boolean) =>
      await runInDurableObject(stream, (object) => {
        const held = object as unknown as { env: { TASK_QUEUE: unknown; KEPT?: unknown } }
        held.env = isBroken
          ? { ...held.env, KEPT: held.env.TASK_QUEUE, TASK_QUEUE: undefined }
          : { ...held.env, TASK_QUEUE: held.env.KEPT }
      })
    await break_(true)
    const id = await delay(workspace)
    await break_(false)
    const worker = await aTaskWorker(workspace, ['task'])
    await pause()
    expect(worker.received).toEqual([])
    await evictDurableObject(stream)
    await runDurableObjectAlarm(stream)
    expect(await worker.has(1)).toEqual([id])
  })

  test('of another workspace is nobody else’s', async () => {
    const [mine, theirs] = [await aWorkspace(), await aWorkspace()]
    await delay(theirs)
    const worker = await aTaskWorker(mine, ['task'])
    await pause()
    expect(worker.received).toEqual([])
    expect(await theirs.client.filterTaskWorkers()).toEqual([])
  })
})

test('a scheduling that is judged by the server is queued, others are not', async () => {
  const workspace = await aWorkspace()
  const { client } = workspace
  const { id } = await client.createTaskRun({ task_key: 'task', dynamic_key: '0' })
  const worker = await aTaskWorker(workspace, ['task'])
  await client.setTaskRunState(id, { type: 'SCHEDULED' })
  await pause()
  expect(worker.received).toEqual([])
  await client.setTaskRunState(id, { type: 'SCHEDULED', state_details: { deferred: true } })
  expect(await worker.has(1)).toEqual([id])
})

describe('when the queue’s object is gone', () => {
  test('from memory, its sockets and what they hold stay', async () => {
    const workspace = await aWorkspace()
    const worker = await aTaskWorker(workspace, ['task'])
    const [first, second] = [await delay(workspace), await delay(workspace)]
    await worker.has(1)
    await evictDurableObject(asStub(taskQueueStub(workspace.workspace)), {
      webSockets: 'hibernate',
    })
    await pause()
    expect(worker.received).toHaveLength(1)
    worker.ack()
    expect(await worker.has(2)).toEqual([first, second])
    expect(await workspace.client.filterTaskWorkers()).toHaveLength(1)
  })

  test('with its sockets, workers come back and get what they had not acknowledged', async () => {
    const workspace = await aWorkspace()
    const worker = await aTaskWorker(workspace, ['task'])
    const [first, second] = [await delay(workspace), await delay(workspace)]
    await worker.has(1)
    await evictDurableObject(asStub(taskQueueStub(workspace.workspace)), { webSockets: 'close' })
    await eventually(() => worker.ended !== undefined)
    const back = await aTaskWorker(workspace, ['task'], 'back')
    await back.has(1)
    back.ack()
    expect(await back.has(2)).toEqual([first, second])
  })
})

test('task workers are listed by what they serve', async () => {
  const workspace = await aWorkspace()
  const { client } = workspace
  await aTaskWorker(workspace, ['a', 'b'], 'one')
  const two = await aTaskWorker(workspace, ['b'], 'two')
  const list = async (keys?: string[]) =>
    (await client.filterTaskWorkers(keys && { task_worker_filter: { task_keys: keys } })).map(
      ({ identifier, task_keys }) => [identifier, task_keys],
    )
  expect(await list()).toEqual([
    ['one', ['a', 'b']],
    ['two', ['b']],
  ])
  expect(await list(['a'])).toEqual([['one', ['a', 'b']]])
  expect(await list(['nothing'])).toEqual([])
  two.send({ type: 'quit' })
  await eventually(() => two.ended?.code === 1000)
  expect(await list(['b'])).toEqual([['one', ['a', 'b']]])
})

describe('the protocol', () => {
  test.for<[string, object, string]>([
    ['no subscribe', { type: 'ack' }, "expected 'subscribe' message"],
    ['no keys', { type: 'subscribe', keys: [], client_id: 'a' }, "expected 'keys'"],
    ['no client', { type: 'subscribe', keys: ['a'] }, "expected 'client_id'"],
  ])('%s ends the socket', async ([_name, frame, reason]) => {
    const { key } = await aWorkspace()
    const worker = await openSocket()
    worker.send({ type: 'auth', token: key })
    worker.send(frame)
    await eventually(() => worker.ended !== undefined)
    expect(worker.ended).toMatchObject({ code: 4001, reason: expect.stringContaining(reason) })
  })

  test('another answer than ack ends the socket, and the task run goes on', async () => {
    const workspace = await aWorkspace()
    const id = await delay(workspace)
    const worker = await aTaskWorker(workspace, ['task'])
    await worker.has(1)
    worker.send({ type: 'nack' })
    await eventually(() => worker.ended?.code === 4001)
    const heir = await aTaskWorker(workspace, ['task'], 'heir')
    expect(await heir.has(1)).toEqual([id])
  })

  test('wants a key', async () => {
    const worker = await openSocket()
    worker.send({ type: 'auth', token: 'hg_key_nonsense' })
    await eventually(() => worker.ended?.code === 1008)
    expect(worker.isIn).toBe(false)
  })
})

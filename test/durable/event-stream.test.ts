import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { Event } from '#core/wire/event.ts'
import { formatTimestamp } from '#core/time.ts'
import type { State, StateType } from '#core/wire/state.ts'
import { findTaskRunRecord, findTaskRunRecords } from '#storage/task-runs.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { EventStream } from '../../worker/durable/event-stream.ts'
import { linkSubflow } from '../../worker/operations/link-subflow.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { eventStreamStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aTaskRunEvent } from '../support/task-run-events.ts'
import { aWorkspace } from '../support/workspace.ts'

const START = Date.UTC(2026, 0, 1) * 1000

async function aStream() {
  const { workspace, client } = await aWorkspace()
  const flowRunId = crypto.randomUUID()
  return { ...streamOf(workspace, flowRunId), workspace, client, flowRunId }
}

function streamOf(workspace: Workspace, flowRunId: string) {
  const stub = eventStreamStub(workspace, flowRunId)
  const context = objectContext(workspace)
  const event = (taskRunId: string, type: StateType, second: number, id?: string): Event =>
    aTaskRunEvent({
      taskRunId,
      flowRunId,
      type,
      at: START + second * 1_000_000,
      ...(id === undefined ? {} : { id }),
    })
  return {
    stub,
    context,
    event,
    record: async (...events: Event[]) => {
      await stub.record(context, events, Date.now() * 1000)
    },
    /** Runs the alarm when it is due, until nothing is left to flush. */
    flush: async () => {
      await expect
        .poll(
          async () => {
            await runDurableObjectAlarm(asStub(stub))
            return await count(stub, 'SELECT count(*) AS n FROM marker WHERE dirty = 1')
          },
          { timeout: 10_000, interval: 100 },
        )
        .toBe(0)
    },
    evict: async () => {
      await evictDurableObject(asStub(stub))
    },
    stored: async (id: string) => await findTaskRunRecord(workspace, id),
  }
}

async function count(stub: { id: DurableObjectId }, query: string): Promise<number> {
  return await runInDurableObject(
    asStub(stub),
    (_object, state) => state.storage.sql.exec<{ n: number }>(query).one().n,
  )
}

/** Puts a database in the object's way to the store; `undefined` restores the real one. */
async function setDatabase(
  stub: { id: DurableObjectId },
  wrap: (database: D1Database) => D1Database,
): Promise<void> {
  await runInDurableObject(asStub(stub), (object) => {
    const holder = object as unknown as { env: { DB: D1Database } }
    holder.env = { ...holder.env, DB: wrap(holder.env.DB) }
  })
}

/** A database that can't be reached while `isAway` says so. */
function unreachable(database: D1Database, isAway: () => boolean): D1Database {
  return new Proxy(database, {
    get(target, property) {
      if ((property === 'prepare' || property === 'batch') && isAway()) {
        throw new Error('D1_ERROR: network connection lost')
      }
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

test('events become a task run, here at once and in the store with the next flush', async () => {
  const stream = await aStream()
  const id = crypto.randomUUID()
  await stream.record(
    stream.event(id, 'PENDING', 0),
    stream.event(id, 'RUNNING', 1),
    stream.event(id, 'COMPLETED', 2),
  )
  expect(await stream.stub.findTaskRun(stream.context, id)).toMatchObject({
    id,
    flow_run_id: stream.flowRunId,
    state_type: 'COMPLETED',
  })
  expect(await stream.stored(id)).toBeUndefined()
  await stream.flush()
  const stored = await stream.stored(id)
  expect(stored).toEqual(await stream.stub.findTaskRun(stream.context, id))
  expect(stored?.states.map(({ type }) => type)).toEqual(['PENDING', 'RUNNING', 'COMPLETED'])
})

test('events are kept once, whatever they report, over evictions too', async () => {
  const stream = await aStream()
  const id = crypto.randomUUID()
  const state = stream.event(id, 'RUNNING', 1)
  const other: Event = {
    id: crypto.randomUUID(),
    occurred: state.occurred,
    event: 'my.event',
    resource: { 'prefect.resource.id': 'my.thing' },
  }
  await stream.record(state, other, state, other)
  await stream.evict()
  await stream.record(other, state)
  expect(await count(stream.stub, 'SELECT sum(count) AS n FROM event_chunk')).toBe(2)
  expect((await stream.stub.findTaskRun(stream.context, id))?.states).toHaveLength(1)
})

test('an event is never half recorded: one that fails takes its batch with it', async () => {
  const stream = await aStream()
  const id = crypto.randomUUID()
  await runInDurableObject(asStub(stream.stub), (_object, state) => {
    state.storage.sql.exec(`CREATE TRIGGER refuse BEFORE INSERT ON event_chunk
      WHEN instr(NEW.body, 'poison') > 0 BEGIN SELECT RAISE(ABORT, 'refused'); END`)
  })
  const other: Event = {
    id: crypto.randomUUID(),
    occurred: stream.event(id, 'RUNNING', 1).occurred,
    event: 'poison',
    resource: { 'prefect.resource.id': 'my.thing' },
  }
  const failed = await runInDurableObject(asStub(stream.stub), (object) => {
    try {
      const target = object as unknown as EventStream
      target.record(stream.context, [stream.event(id, 'RUNNING', 1), other], START)
      return false
    } catch {
      return true
    }
  })
  expect(failed).toBe(true)
  expect(await stream.stub.findTaskRun(stream.context, id)).toBeUndefined()
  expect(await count(stream.stub, 'SELECT count(*) AS n FROM event_id')).toBe(0)
})

test('late and early events of many task runs end in the same rows', async () => {
  const stream = await aStream()
  const ids = Array.from({ length: 50 }, () => crypto.randomUUID())
  const events = ids.flatMap((id) => [
    stream.event(id, 'PENDING', 0),
    stream.event(id, 'RUNNING', 1),
    stream.event(id, 'COMPLETED', 2),
  ])
  const shuffled = events
    .map((event, index) => ({ event, key: (index * 7919) % events.length }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ event }) => event)
  for (let index = 0; index < shuffled.length; index += 20) {
    await stream.record(...shuffled.slice(index, index + 20))
    if (index % 60 === 0) {
      await stream.evict()
    }
  }
  await stream.flush()
  for (const id of ids) {
    expect(await stream.stored(id)).toMatchObject({
      state_type: 'COMPLETED',
      states: [{ type: 'PENDING' }, { type: 'RUNNING' }, { type: 'COMPLETED' }],
    })
  }
})

describe('the store', () => {
  test('being away loses nothing: the alarm carries on, even after an eviction', async () => {
    const stream = await aStream()
    const id = crypto.randomUUID()
    let away = true
    await setDatabase(stream.stub, (database) => unreachable(database, () => away))
    await stream.record(stream.event(id, 'RUNNING', 1))
    await new Promise((resolve) => setTimeout(resolve, 700))
    await runDurableObjectAlarm(asStub(stream.stub))
    expect(await stream.stored(id)).toBeUndefined()
    expect(await count(stream.stub, 'SELECT dirty AS n FROM marker')).toBe(1)
    await stream.record(stream.event(id, 'COMPLETED', 2))
    away = false
    await stream.evict()
    await stream.flush()
    expect(await stream.stored(id)).toMatchObject({ state_type: 'COMPLETED' })
  })

  test('answering a flush only after the rows have moved on does not lose the newer ones', async () => {
    const stream = await aStream()
    const id = crypto.randomUUID()
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    await setDatabase(stream.stub, (database) => holdWrites(database, held))
    const made = stream.stub.createTaskRun(
      stream.context,
      { id, task_key: 't', dynamic_key: '0', flow_run_id: stream.flowRunId },
      Date.now() * 1000,
    )
    // The client is answered after a second although the store has not.
    expect(await made).toMatchObject({ created: true })
    await stream.record(stream.event(id, 'RUNNING', 1_000_000_000))
    release()
    await stream.flush()
    expect(await stream.stored(id)).toMatchObject({ state_type: 'RUNNING', seq: 3 })
  })

  test('is asked for what the object has let go of', async () => {
    const stream = await aStream()
    const id = crypto.randomUUID()
    await stream.record(stream.event(id, 'PENDING', 0), stream.event(id, 'RUNNING', 1))
    await stream.flush()
    await forget(stream.stub)
    await stream.record(stream.event(id, 'COMPLETED', 2))
    await stream.flush()
    expect((await stream.stored(id))?.states.map(({ type }) => type)).toEqual([
      'PENDING',
      'RUNNING',
      'COMPLETED',
    ])
    await forget(stream.stub)
    const now = Date.now() * 1000
    const answer = await stream.stub.setTaskRunState(
      stream.context,
      id,
      { type: 'RUNNING' },
      false,
      now,
    )
    expect(answer).toMatchObject({ written: true, result: { status: 'ACCEPT' } })
    expect((await stream.stored(id))?.states).toHaveLength(4)
  })

  test('gives the row of the same natural key its new states', async () => {
    const stream = await aStream()
    const [first, second] = [crypto.randomUUID(), crypto.randomUUID()]
    const key = { taskRun: { dynamic_key: 'same' }, flowRunId: stream.flowRunId }
    const pending = aTaskRunEvent({ ...key, taskRunId: first, type: 'PENDING', at: START })
    await stream.record(pending)
    await stream.flush()
    await forget(stream.stub)
    const at = START + 1_000_000
    await stream.record(aTaskRunEvent({ ...key, taskRunId: second, type: 'RUNNING', at }))
    await stream.flush()
    expect(await stream.stored(first)).toMatchObject({ state_type: 'RUNNING' })
    expect(await stream.stored(second)).toBeUndefined()
    const keys = [{ id: '', flow_run_id: stream.flowRunId, task_key: 'load', dynamic_key: 'same' }]
    expect(await findTaskRunRecords(stream.workspace, keys)).toHaveLength(1)
  })
})

describe('creating', () => {
  test('is idempotent by the natural key, also when only the store knows it', async () => {
    const stream = await aStream()
    const body = { flow_run_id: stream.flowRunId, task_key: 'sub', dynamic_key: '0' }
    const create = async () => await stream.stub.createTaskRun(stream.context, body, START)
    const made = await create()
    expect(made).toMatchObject({ created: true, taskRun: { state_type: 'PENDING', run_count: 0 } })
    expect(await create()).toMatchObject({ created: false, taskRun: { id: made.taskRun.id } })
    await forget(stream.stub)
    expect(await create()).toMatchObject({ created: false, taskRun: { id: made.taskRun.id } })
  })

  test('many at once make one', async () => {
    const stream = await aStream()
    const body = { flow_run_id: stream.flowRunId, task_key: 'sub', dynamic_key: '0' }
    const made = await Promise.all(
      Array.from({ length: 8 }, () => stream.stub.createTaskRun(stream.context, body, START)),
    )
    expect(made.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(made.map(({ taskRun }) => taskRun.id)).size).toBe(1)
  })

  test('without the store is refused, since it might hold the natural key', async () => {
    const stream = await aStream()
    await setDatabase(stream.stub, (database) => unreachable(database, () => true))
    const body = { flow_run_id: stream.flowRunId, task_key: 'sub', dynamic_key: '0' }
    await expect(stream.client.createTaskRun(body)).rejects.toMatchObject({
      status: 503,
      retryAfterSeconds: 2,
    })
  })
})

test('a subflow’s states reach the task run that stands for it, wherever that lies', async () => {
  const stream = await aStream()
  const body = { flow_run_id: stream.flowRunId, task_key: 'sub', dynamic_key: '0' }
  const made = await stream.stub.createTaskRun(stream.context, body, Date.now() * 1000)
  await forget(stream.stub)
  const child = { id: crypto.randomUUID(), parent_task_run_id: made.taskRun.id }
  const state = aState('COMPLETED')
  await linkSubflow(stream.workspace, child, [state], Date.now() * 1000)
  await linkSubflow(stream.workspace, child, [state], Date.now() * 1000)
  await stream.flush()
  const stored = await stream.stored(made.taskRun.id)
  expect(stored?.states.map(({ type }) => type)).toEqual(['PENDING', 'COMPLETED'])
  expect(stored?.states[1]?.state_details).toMatchObject({ child_flow_run_id: child.id })
  const orphan = { id: child.id, parent_task_run_id: crypto.randomUUID() }
  await expect(linkSubflow(stream.workspace, orphan, [state], START)).resolves.toBeUndefined()
})

describe('deleting', () => {
  test('a task run leaves nothing that a late event could bring back', async () => {
    const stream = await aStream()
    const id = crypto.randomUUID()
    await stream.record(stream.event(id, 'RUNNING', 1))
    expect(await stream.stub.deleteTaskRun(stream.context, id, START)).toBe(true)
    expect(await stream.stub.deleteTaskRun(stream.context, id, START)).toBe(false)
    await forget(stream.stub)
    await stream.record(stream.event(id, 'COMPLETED', 2))
    await stream.flush()
    expect(await stream.stored(id)).toMatchObject({ deleted: true })
  })

  test('a flow run takes its task runs along, here and in the store', async () => {
    const stream = await aStream()
    const [flushed, fresh] = [crypto.randomUUID(), crypto.randomUUID()]
    await stream.record(stream.event(flushed, 'RUNNING', 1))
    await stream.flush()
    await stream.record(stream.event(fresh, 'RUNNING', 1))
    await stream.stub.deleteFlowRun(stream.context, stream.flowRunId)
    await stream.record(stream.event(flushed, 'COMPLETED', 2), stream.event(fresh, 'COMPLETED', 2))
    await stream.flush()
    expect(await stream.stub.findTaskRun(stream.context, fresh)).toBeUndefined()
    expect(await stream.stored(fresh)).toBeUndefined()
    expect(await stream.stored(flushed)).toMatchObject({ deleted: true })
  })

  test('a flow run while the store is away is made good by the alarm', async () => {
    const stream = await aStream()
    const id = crypto.randomUUID()
    await stream.record(stream.event(id, 'RUNNING', 1))
    await stream.flush()
    let away = true
    await setDatabase(stream.stub, (database) => unreachable(database, () => away))
    await stream.stub.deleteFlowRun(stream.context, stream.flowRunId)
    expect(await stream.stored(id)).toMatchObject({ deleted: false })
    away = false
    await stream.evict()
    await runDurableObjectAlarm(asStub(stream.stub))
    await expect.poll(async () => (await stream.stored(id))?.deleted).toBe(true)
  })
})

test('a row that the store refuses is set aside, and the others go through', async () => {
  const stream = await aStream()
  const [bad, good] = [crypto.randomUUID(), crypto.randomUUID()]
  await setDatabase(stream.stub, (database) => refuseRow(database, bad))
  await stream.record(stream.event(bad, 'RUNNING', 1), stream.event(good, 'RUNNING', 1))
  await stream.flush()
  expect(await stream.stored(good)).toMatchObject({ state_type: 'RUNNING' })
  expect(await stream.stored(bad)).toBeUndefined()
  expect(await count(stream.stub, 'SELECT count(*) AS n FROM fault')).toBe(1)
})

test('what has ended long ago leaves the object, what the store lacks stays', async () => {
  const stream = await aStream()
  const [ended, open] = [crypto.randomUUID(), crypto.randomUUID()]
  await stream.record(stream.event(ended, 'COMPLETED', 1), stream.event(open, 'RUNNING', 1))
  await stream.flush()
  await age(stream.stub)
  expect(await stream.stub.findTaskRun(stream.context, ended)).toBeUndefined()
  expect(await stream.stub.findTaskRun(stream.context, open)).toBeDefined()
  expect(await stream.stored(ended)).toMatchObject({ state_type: 'COMPLETED' })
  const unflushed = crypto.randomUUID()
  await setDatabase(stream.stub, (database) => unreachable(database, () => true))
  await stream.record(stream.event(unflushed, 'COMPLETED', 1))
  await age(stream.stub)
  expect(await stream.stub.findTaskRun(stream.context, unflushed)).toBeDefined()
})

test('the same ids in another workspace are other task runs', async () => {
  const mine = await aStream()
  const { workspace } = await aWorkspace()
  const other = streamOf(workspace, mine.flowRunId)
  const id = crypto.randomUUID()
  await mine.record(mine.event(id, 'RUNNING', 1))
  await other.record(other.event(id, 'FAILED', 1))
  await mine.flush()
  await other.flush()
  expect(await mine.stored(id)).toMatchObject({ state_type: 'RUNNING' })
  expect(await other.stored(id)).toMatchObject({ state_type: 'FAILED' })
})

function aState(type: StateType): State {
  const timestamp = formatTimestamp(Date.now() * 1000 + 1_000_000)
  const id = crypto.randomUUID()
  return { id, type, name: type, timestamp, message: null, data: null, state_details: {} }
}

/** As after the time when ended task runs are let go, with a fresh memory. */
async function forget(stub: { id: DurableObjectId }): Promise<void> {
  await runInDurableObject(asStub(stub), (_object, state) => {
    state.storage.sql.exec('DELETE FROM task_run')
  })
  await evictDurableObject(asStub(stub))
}

/** Lets twenty minutes pass for the rows, wakes the object anew and lets it sweep. */
async function age(stub: { id: DurableObjectId }): Promise<void> {
  await runInDurableObject(asStub(stub), async (object, state) => {
    state.storage.sql.exec('UPDATE task_run SET touched = touched - 1200000')
    const stream = object as unknown as { sweep: () => void }
    stream.sweep()
    await Promise.resolve()
  })
}

function holdWrites(database: D1Database, held: Promise<void>): D1Database {
  return onUpserts(database, async (run) => {
    await held
    return await run()
  })
}

function refuseRow(database: D1Database, id: string): D1Database {
  return onUpserts(database, async (run, json) => {
    if (json.includes(id)) {
      throw new Error('D1_ERROR: NOT NULL constraint failed: task_run.name')
    }
    return await run()
  })
}

/** Stands between the object and its upserts of task runs; everything else goes straight through. */
function onUpserts(
  database: D1Database,
  through: (run: () => Promise<D1Result>, json: string) => Promise<D1Result>,
): D1Database {
  return new Proxy(database, {
    get(target, property) {
      if (property === 'prepare') {
        return (query: string) => {
          const statement = target.prepare(query)
          return query.startsWith('INSERT INTO task_run')
            ? {
                bind: (json: string) => ({
                  run: async () =>
                    await through(async () => await statement.bind(json).run(), json),
                }),
              }
            : statement
        }
      }
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

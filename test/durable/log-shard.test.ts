import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import { formatTimestamp } from '#core/time.ts'
import type { Log, LogCreate } from '#core/wire/log.ts'
import type { LogsQuery } from '#core/wire/query.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { LogShard } from '../../worker/durable/log-shard.ts'
import { objectContext } from '../../worker/operations/object-context.ts'
import { logShardStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace } from '../support/workspace.ts'

const START = Date.UTC(2026, 0, 1) * 1000
const at = (micros: number) => formatTimestamp(START + micros)

function aLog(given: Partial<LogCreate> = {}): LogCreate {
  return { name: 'test', level: 20, message: 'hello', timestamp: at(0), ...given }
}

async function aShard(flowRunId: string) {
  const { workspace } = await aWorkspace()
  return shardOf(workspace, flowRunId)
}

function shardOf(workspace: Workspace, flowRunId: string) {
  const stub = logShardStub(workspace, flowRunId)
  const context = objectContext(workspace)
  let calls = 0
  return {
    stub,
    append: async (logs: LogCreate[]) => {
      calls += 1
      await stub.append(context, logs, START + calls)
    },
    filter: async (query: LogsQuery): Promise<Log[]> => await stub.filter(context, query),
    remove: async () => {
      await stub.deleteFlowRun(context, flowRunId)
    },
    chunks: async () =>
      await runInDurableObject(asStub(stub), (_object, state) =>
        state.storage.sql
          .exec<{ position: number; count: number; chars: number }>(
            'SELECT position, count, length(body) AS chars FROM log_chunk ORDER BY position',
          )
          .toArray(),
      ),
  }
}

test('20,000 lines, some written late, are paged exactly, both ways, after an eviction too', async () => {
  const run = crypto.randomUUID()
  const shard = await aShard(run)
  const written: LogCreate[] = Array.from({ length: 20_000 }, (_, index) =>
    aLog({
      flow_run_id: run,
      message: `line ${index}`,
      level: index % 100 === 0 ? 40 : 20,
      // Every seventh is late by two seconds; every fifth has the time of the one before.
      timestamp: at((index - (index % 5 === 0 ? 1 : 0)) * 1000 - (index % 7 === 0 ? 2_000_000 : 0)),
    }),
  )
  for (let index = 0; index < written.length; index += 500) {
    await shard.append(written.slice(index, index + 500))
  }
  expect((await shard.chunks()).length).toBeLessThan(60)
  await evictDurableObject(asStub(shard.stub))
  const expected = written
    .map((line, index) => ({ line, index }))
    .toSorted((a, b) =>
      a.line.timestamp < b.line.timestamp
        ? -1
        : a.line.timestamp > b.line.timestamp
          ? 1
          : a.index - b.index,
    )
    .map(({ line }) => line.message)
  const logs = { flow_run_id: { any_: [run] } }
  const read: Log[] = []
  for (let offset = 0; ; offset += 200) {
    const page = await shard.filter({ logs, limit: 200, offset })
    read.push(...page)
    if (page.length < 200) {
      break
    }
  }
  expect(read.map(({ message }) => message)).toEqual(expected)
  expect(new Set(read.map(({ id }) => id)).size).toBe(read.length)
  const tail = await shard.filter({ logs, sort: 'TIMESTAMP_DESC', limit: 150, offset: 19_900 })
  expect(tail.map(({ message }) => message)).toEqual(expected.toReversed().slice(19_900))
  const errors = { ...logs, level: { ge_: 40 } }
  const second = await shard.filter({ logs: errors, limit: 50, offset: 50 })
  const wanted = expected.filter((message) => Number(message.slice(5)) % 100 === 0)
  expect(second.map(({ message }) => message)).toEqual(wanted.slice(50, 100))
  const last = await shard.filter({ logs: errors, sort: 'TIMESTAMP_DESC', limit: 5 })
  expect(last.map(({ message }) => message)).toEqual(wanted.toReversed().slice(0, 5))
  // A line's id is the same in whatever page it comes.
  expect(read.find(({ message }) => message === second[0]?.message)).toEqual(second[0])
}, 60_000)

describe('a batch', () => {
  test('that is sent again is kept once, even after an eviction', async () => {
    const run = crypto.randomUUID()
    const shard = await aShard(run)
    const batch = [aLog({ flow_run_id: run }), aLog({ flow_run_id: run, message: 'two' })]
    await shard.append(batch)
    await shard.append([aLog({ flow_run_id: run, message: 'between' })])
    await evictDurableObject(asStub(shard.stub))
    await shard.append(batch)
    const logs = { flow_run_id: { any_: [run] } }
    expect((await shard.filter({ logs })).map(({ message }) => message)).toEqual([
      'hello',
      'two',
      'between',
    ])
  })

  test('of many runs lands with each of them, and one run can be deleted', async () => {
    const [a, b] = [crypto.randomUUID(), crypto.randomUUID()]
    const shard = await aShard(a)
    await shard.append([
      aLog({ flow_run_id: a, message: 'a' }),
      aLog({ flow_run_id: b, message: 'b' }),
      aLog({ message: 'none' }),
    ])
    expect((await shard.filter({})).map(({ message }) => message).toSorted()).toEqual([
      'a',
      'b',
      'none',
    ])
    await shard.remove()
    expect((await shard.filter({})).map(({ flow_run_id }) => flow_run_id)).toEqual([null, b])
  })

  test('grows the newest row, and begins another when that is full', async () => {
    const run = crypto.randomUUID()
    const shard = await aShard(run)
    for (let index = 0; index < 3; index += 1) {
      await shard.append([aLog({ flow_run_id: run, message: `small ${index}` })])
    }
    expect(await shard.chunks()).toMatchObject([{ position: 0, count: 3 }])
    await shard.append([aLog({ flow_run_id: run, message: 'x'.repeat(100_000) })])
    await shard.append([aLog({ flow_run_id: run, message: 'after' })])
    expect(await shard.chunks()).toMatchObject([
      { position: 0, count: 3 },
      { position: 3, count: 1 },
      { position: 4, count: 1 },
    ])
  })
})

test('NUL is taken out, line breaks stay, and a line that no row can hold is cut', async () => {
  const run = crypto.randomUUID()
  const shard = await aShard(run)
  await shard.append([
    aLog({ flow_run_id: run, message: 'a\u0000b\nc' }),
    aLog({ flow_run_id: run, message: '\u0001'.repeat(600_000), timestamp: at(1) }),
  ])
  const [first, second] = await shard.filter({ logs: { flow_run_id: { any_: [run] } } })
  expect(first?.message).toBe('ab\nc')
  expect(second?.message).toMatch(/\.\.\. \[truncated\]$/)
})

test('lines are kept thirty days after they arrived', async () => {
  const run = crypto.randomUUID()
  const shard = await aShard(run)
  await shard.append([aLog({ flow_run_id: run })])
  const age = async (days: number) => {
    await runInDurableObject(asStub(shard.stub), (object, state) => {
      const received = Date.now() - days * 86_400_000
      state.storage.sql.exec('UPDATE log_chunk SET received = ?', received)
      ;(object as LogShard).sweep()
    })
    return (await shard.filter({})).length
  }
  expect(await age(29.9)).toBe(1)
  expect(await age(30.1)).toBe(0)
})

import { runInDurableObject } from 'cloudflare:test'
import { expect, test } from 'vitest'
import { migrate } from '../../worker/durable/migrate.ts'
import { taskQueueStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace } from '../support/workspace.ts'

/** The storage of a fresh object, which has taken its own first step already. */
async function inObject<T>(work: (storage: DurableObjectStorage) => T): Promise<T> {
  const { workspace } = await aWorkspace()
  const stub = asStub(taskQueueStub(workspace))
  return await runInDurableObject(stub, (_object, state) => work(state.storage))
}

const versions = (storage: DurableObjectStorage) =>
  storage.sql
    .exec<{ version: number }>('SELECT version FROM migration ORDER BY version')
    .toArray()
    .map(({ version }) => version)

test('each step runs once, in order, whenever the object wakes', async () => {
  const found = await inObject((storage) => {
    const steps = ['taken already', ['CREATE TABLE a (x)', 'INSERT INTO a VALUES (1)']]
    migrate(storage.sql, storage, steps)
    migrate(storage.sql, storage, steps)
    migrate(storage.sql, storage, [...steps, 'INSERT INTO a VALUES (2)'])
    return { versions: versions(storage), rows: storage.sql.exec('SELECT x FROM a').toArray() }
  })
  expect(found).toEqual({ versions: [1, 2, 3], rows: [{ x: 1 }, { x: 2 }] })
})

test('a step that fails leaves nothing behind and stops those after it', async () => {
  const found = await inObject((storage) => {
    const steps = ['taken already', ['CREATE TABLE a (x)', 'nonsense'], 'CREATE TABLE b (x)']
    let message = ''
    try {
      migrate(storage.sql, storage, steps)
    } catch (error) {
      message = String(error)
    }
    const tables = storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('a', 'b')")
    return { message, tables: tables.toArray(), versions: versions(storage) }
  })
  expect(found).toMatchObject({ tables: [], versions: [1] })
  expect(found.message).toContain('nonsense')
})

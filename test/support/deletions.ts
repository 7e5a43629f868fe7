import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import type { Deletion } from '#core/wire/deletion.ts'
import { findDeletion } from '#storage/deletions.ts'
import { deletionStub } from '../../worker/operations/stubs.ts'
import { asStub } from './objects.ts'
import { bindings } from './workspace.ts'

interface Kept extends Record<string, SqlStorageValue> {
  left: string
  objects: number
  rows: number
}

/**
 * Carries a deletion out without the waits between its steps. Its object dies after each alarm, and once more before what the
 * alarm did was kept, so that each step is taken twice.
 */
export async function finishDeletion({
  id,
  account_id,
  workspace_id,
}: Deletion): Promise<Deletion> {
  const owner = { id: workspace_id ?? account_id, region: null }
  const stub = () => asStub(deletionStub(bindings, owner, id))
  const change = async (statement: string, ...values: SqlStorageValue[]) =>
    await runInDurableObject(stub(), (_object, { storage: { sql } }) => {
      const [kept] = sql.exec<Kept>('SELECT left, objects, rows FROM deletion').toArray()
      sql.exec(statement, ...values)
      return kept
    })
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const before = await change('UPDATE deletion SET at = 0')
    for (const isSecond of [false, true]) {
      // oxlint-disable-next-line no-await-in-loop -- the same
      await runDurableObjectAlarm(stub())
      // oxlint-disable-next-line no-await-in-loop -- the same
      const found = await findDeletion(bindings.DB, id)
      if (found?.state === 'COMPLETED') {
        return found
      }
      if (!isSecond && before !== undefined) {
        const { left, objects, rows } = before
        const restore = 'UPDATE deletion SET left = ?, objects = ?, rows = ?, at = 0'
        // oxlint-disable-next-line no-await-in-loop -- the same
        await change(restore, left, objects, rows)
      }
      // oxlint-disable-next-line no-await-in-loop -- the same
      await evictDurableObject(stub())
    }
  }
}

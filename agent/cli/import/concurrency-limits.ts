import { everyPage } from '../find.ts'
import { agrees, orNone, type ImportRun } from './import-run.ts'

/** Global limits and those of tags; a deployment's own comes with the deployment. */
export async function importConcurrencyLimits(run: ImportRun): Promise<void> {
  const { source, target } = run
  for (const limit of await everyPage((page) => source.filterConcurrencyLimits(page))) {
    const { id, name } = limit
    if (name.startsWith('deployment:')) {
      continue
    }
    const wanted = {
      limit: limit.limit,
      active: limit.active,
      slot_decay_per_second: limit.slot_decay_per_second,
    }
    await run.copy('concurrency limit', { id, name }, async () => {
      const existing = await orNone(target.readConcurrencyLimit(name))
      if (existing !== undefined && agrees(existing, wanted)) {
        return { outcome: 'unchanged', id: existing.id }
      }
      if (run.dryRun) {
        return { outcome: existing === undefined ? 'created' : 'updated' }
      }
      if (existing === undefined) {
        const made = await target.createConcurrencyLimit({ name, ...wanted })
        return { outcome: 'created', id: made.id }
      }
      await target.updateConcurrencyLimit(name, wanted)
      return { outcome: 'updated', id: existing.id }
    })
  }
}

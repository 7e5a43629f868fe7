import { everyPage } from '../find.ts'
import { agrees, orNone, type ImportRun } from './import-run.ts'

export async function importVariables(run: ImportRun): Promise<void> {
  const { source, target } = run
  for (const variable of await everyPage((page) => source.filterVariables(page))) {
    const { id, name, value, tags } = variable
    await run.copy('variable', { id, name }, async () => {
      const existing = await orNone(target.readVariable(name))
      if (existing !== undefined && agrees(existing, { value, tags })) {
        return { outcome: 'unchanged', id: existing.id }
      }
      if (run.dryRun) {
        return { outcome: existing === undefined ? 'created' : 'updated' }
      }
      if (existing === undefined) {
        return { outcome: 'created', id: (await target.createVariable({ name, value, tags })).id }
      }
      await target.updateVariable(name, { value, tags })
      return { outcome: 'updated', id: existing.id }
    })
  }
}

import { sql } from 'drizzle-orm'
import type { ObservedState } from '#core/wire/ui.ts'
import { flowRun, taskRun } from './schema/runs.ts'
import type { Workspace } from './workspace.ts'

/** So many runs of each kind, the newest, are looked at: reading the histories of all would take seconds. */
const RECENT_RUNS = 5000

/** The states that recent runs have been in, with when that was first and last. */
export async function listObservedStates(workspace: Workspace): Promise<ObservedState[]> {
  const seen = (runs: typeof flowRun | typeof taskRun) =>
    sql`SELECT state.value ->> '$.type' AS type, state.value ->> '$.name' AS name,
        min(state.value ->> '$.timestamp') AS first, max(state.value ->> '$.timestamp') AS last
      FROM (SELECT ${runs.states} AS states FROM ${runs}
          WHERE ${runs.workspace_id} = ${workspace.id} AND ${runs.deleted} = 0
          ORDER BY ${runs.id} DESC LIMIT ${RECENT_RUNS}) AS recent, json_each(recent.states) AS state
      GROUP BY 1, 2`
  return await workspace.store.all<ObservedState>(
    sql`SELECT type AS state_type, name AS state_name, min(first) AS first_seen, max(last) AS last_seen
      FROM (SELECT * FROM (${seen(flowRun)}) UNION ALL SELECT * FROM (${seen(taskRun)}))
      GROUP BY 1, 2 ORDER BY 1, 2`,
  )
}

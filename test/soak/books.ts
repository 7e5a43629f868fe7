import { globSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isTerminal } from '../../core/state.ts'
import type { StateType } from '../../core/wire/state.ts'

interface HomeRow {
  id: string
  live: number
  slot: number
  state_type: StateType
  seq: number
}

interface StoreRow {
  id: string
  state_type: StateType
  state_name: string
  seq: number
}

/** What a server that has stopped has left on its disk: the store's row of each run, and what should not be there. */
export interface Books {
  store: Map<string, StoreRow>
  /** A sentence each. */
  wrong: string[]
}

/** Compares the homes with the store, and looks for slots, leases and messages that nobody holds or awaits any more. */
export function auditBooks(stateFolder: string): Books {
  const data = join(stateFolder, 'data')
  const [database] = databases(join(data, 'd1/*'))
  if (database === undefined) {
    throw new Error(`there is no database in ${data}`)
  }
  const store = new Map(
    rows<StoreRow>(database, 'SELECT id, state_type, state_name, seq FROM flow_run').map((row) => [
      row.id,
      row,
    ]),
  )
  const homes = databases(join(data, 'do/headgate-WorkPool'))
  const limits = databases(join(data, 'do/headgate-ConcurrencyLimits'))
  return {
    store,
    wrong: [
      ...homes.flatMap((home) => auditHome(home, store)),
      ...limits.flatMap((file) =>
        rows<{ id: string }>(file, 'SELECT id FROM lease').map(({ id }) => `lease ${id} is left`),
      ),
    ],
  }
}

function auditHome(home: string, store: Map<string, StoreRow>): string[] {
  const runs = rows<HomeRow>(
    home,
    "SELECT id, live, slot, state_type, body ->> '$.record.seq' AS seq FROM run",
  )
  const messages = rows<{ run_id: string; kind: string }>(home, 'SELECT run_id, kind FROM message')
  const changes = rows<{ kind: string; id: string }>(home, 'SELECT kind, id FROM pending_change')
  return [
    ...runs.flatMap((run) => auditRun(run, store.get(run.id))),
    ...messages.map(({ run_id, kind }) => `message ${kind} of run ${run_id} was never heard`),
    ...changes.map(({ kind, id }) => `the change of ${kind} ${id} is still announced`),
  ]
}

function auditRun(run: HomeRow, stored: StoreRow | undefined): string[] {
  return [
    ...(run.live === 1 || run.slot === 1 ? [`run ${run.id} still holds a slot`] : []),
    ...(isTerminal(run.state_type) ? [] : [`run ${run.id} is ${run.state_type} at home`]),
    ...(stored?.seq === run.seq
      ? []
      : [`run ${run.id} is at seq ${run.seq} at home, and at ${String(stored?.seq)} in the store`]),
  ]
}

function databases(folder: string): string[] {
  return globSync(join(folder, '*.sqlite')).filter((path) => !path.endsWith('/metadata.sqlite'))
}

function rows<Row>(file: string, query: string): Row[] {
  const database = new DatabaseSync(file)
  try {
    return database.prepare(query).all() as Row[]
  } finally {
    database.close()
  }
}

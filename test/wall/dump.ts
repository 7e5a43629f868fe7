import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test'
import { bindings } from '../support/workspace.ts'
import type { Workspace } from '#storage/workspace.ts'

/** All rows that a workspace has anywhere, by table; of objects, by class and id. */
export type Dump = Record<string, unknown[]>

type Namespace = DurableObjectNamespace
type Row = Record<string, unknown>

/** The objects of a workspace, by class and name. */
export type Objects = { label: string; stub: DurableObjectStub }[]

export async function objectsOf(workspace: Workspace): Promise<Objects> {
  const namespaces = Object.entries(bindings as unknown as Record<string, unknown>).filter(
    (entry): entry is [string, Namespace] => isNamespace(entry[1]),
  )
  const found: Objects = []
  for (const [binding, namespace] of namespaces) {
    // oxlint-disable-next-line no-await-in-loop -- few
    for (const id of await listDurableObjectIds(namespace)) {
      const stub = namespace.get(id)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const name = await runInDurableObject(stub, (_object, state) => state.id.name ?? '')
      if (name.startsWith(workspace.id)) {
        found.push({ label: `${binding} ${name}`, stub })
      }
    }
  }
  return found
}

/** When the first of them does something by itself; milliseconds. */
export async function nextAlarm(objects: Objects): Promise<number> {
  const alarms = await Promise.all(
    objects.map(
      async ({ stub }) =>
        await runInDurableObject(stub, async (_object, { storage }) => await storage.getAlarm()),
    ),
  )
  return Math.min(...alarms.map((alarm) => alarm ?? Infinity))
}

export async function dumpOf(workspace: Workspace, objects: Objects): Promise<Dump> {
  const dumps = await Promise.all(
    objects.map(async ({ label, stub }) => await rowsOfObject(label, stub)),
  )
  return Object.assign({}, await rowsOfStore(workspace), ...dumps) as Dump
}

async function rowsOfObject(label: string, stub: DurableObjectStub): Promise<Dump> {
  return await runInDurableObject(stub, (_object, { storage: { sql } }) => {
    const tables = sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
      .toArray()
      .filter(({ name }) => !name.startsWith('_cf') && !AT_EACH_START.has(name))
    return Object.fromEntries(
      tables.map(({ name }) => [`${label} ${name}`, sql.exec(`SELECT * FROM ${name}`).toArray()]),
    )
  })
}

/** Written whenever the object wakes, be it by this look at it. */
const AT_EACH_START: ReadonlySet<string> = new Set(['version'])

/** The columns that say whose a row is, the nearer one first. */
const OWNERS = ['workspace_id', 'account_id']
let tables: { name: string; owner: string }[] | undefined

async function rowsOfStore(workspace: Workspace): Promise<Dump> {
  tables ??= await ownedTables()
  const { database } = workspace
  const results = await database.batch<Row>(
    tables.map(({ name, owner }) =>
      database
        .prepare(`SELECT * FROM ${name} WHERE ${owner} = ?`)
        .bind(owner === 'account_id' ? workspace.account_id : workspace.id),
    ),
  )
  return Object.fromEntries(
    tables.map(({ name }, index) => [name, (results[index]?.results ?? []).map(atRest)]),
  )
}

async function ownedTables(): Promise<{ name: string; owner: string }[]> {
  const { results } = await bindings.DB.prepare(
    "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '_cf%'",
  ).all<{ name: string; sql: string }>()
  const owned = results.flatMap(({ name, sql }) => {
    const owner = OWNERS.find((column) => sql.includes(`\`${column}\``))
    return owner === undefined ? [] : [{ name, owner }]
  })
  return owned
}

/** Without what only tells the time of the last use. */
function atRest({ last_used: _used, ...row }: Row): Row {
  return row
}

/** A service that is bound has a method of every name. */
function isNamespace(binding: unknown): binding is Namespace {
  return (binding as object | undefined)?.constructor.name === 'DurableObjectNamespace'
}

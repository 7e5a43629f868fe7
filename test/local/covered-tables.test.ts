import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { expect, test } from 'vitest'
import { ACCOUNT_TABLES, WORKSPACE_TABLES } from '#storage/erase-workspace.ts'
import { EXPORTED_TABLES } from '#storage/export-tables.ts'

// A new table of a workspace or an account is deleted and exported with it, or stands here with the reason why not.

const schemas = join(import.meta.dirname, '../../worker/storage/schema')
const modules: Record<string, unknown>[] = await Promise.all(
  (await readdir(schemas)).map(async (name) => await import(join(schemas, name))),
)
const tables = modules
  .flatMap((module) => Object.values(module))
  .filter((table) => table instanceof SQLiteTable)

const nameOf = (table: SQLiteTable) => getTableConfig(table).name
const withColumn = (name: string) =>
  tables
    .filter((table) => getTableConfig(table).columns.some((column) => column.name === name))
    .map(nameOf)

const NOT_DELETED: Record<string, string> = {
  deployment_schedule: 'goes with its deployment',
  work_queue: 'goes with its work pool',
  worker: 'goes with its work pool',
  deletion: 'says that all was deleted',
  erased_workspace: 'keeps what comes late away',
}

test('all rows of a workspace are deleted', () => {
  const deleted = [...WORKSPACE_TABLES.map(nameOf), ...Object.keys(NOT_DELETED)]
  expect(new Set(deleted)).toEqual(new Set(withColumn('workspace_id')))
  expect(nameOf(WORKSPACE_TABLES.at(-1) ?? expect.fail())).toBe('home')
})

const NOT_DELETED_WITH_ACCOUNTS: Record<string, string> = {
  workspace: 'is deleted before',
  deletion: 'says that all was deleted',
  login: "is a person's: better-auth has another word for it",
}

test('all rows of an account are deleted', () => {
  const deleted = [...ACCOUNT_TABLES.map(nameOf), ...Object.keys(NOT_DELETED_WITH_ACCOUNTS)]
  expect(new Set(deleted)).toEqual(new Set(withColumn('account_id')))
})

const EXPORTED_OTHERWISE: Record<string, string> = {
  workspace_member: 'as member and service_account',
  invitation: 'as invitation',
  api_key: 'as api_key, without its hash',
  enrolment: 'as enrolment, without its hash',
  block_document: 'as block_document, its secrets masked',
  audit_entry: 'as audit_entry',
}
const NOT_EXPORTED: Record<string, string> = {
  workspace_key: 'opens secrets',
  home: 'only the server knows what it is',
  idempotency_key: 'stands with its run',
  usage_source: 'only keeps the server from counting twice',
  deletion: 'there is none while there is a workspace',
  erased_workspace: 'the same',
}

test('all rows of a workspace are exported', () => {
  const exported = [
    ...EXPORTED_TABLES.map(({ table }) => nameOf(table)),
    ...Object.keys(EXPORTED_OTHERWISE),
    ...Object.keys(NOT_EXPORTED),
  ]
  expect(exported.toSorted()).toEqual([...new Set(withColumn('workspace_id'))].toSorted())
})

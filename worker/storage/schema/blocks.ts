import { integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

// What a workspace has of blocks beyond what every workspace has (domain/system-blocks), which is read from the program
// and stored here only once somebody changes or deletes it.

const stored = {
  workspace_id: text().notNull(),
  id: text().notNull(),
  created: text().notNull(),
  updated: text().notNull(),
}
const json = <T>() => text({ mode: 'json' }).$type<T>()

/** Written and read by storage/block-types. */
export const blockType = sqliteTable(
  'block_type',
  {
    ...stored,
    name: text().notNull(),
    slug: text().notNull(),
    logo_url: text(),
    documentation_url: text(),
    description: text(),
    code_example: text(),
    is_protected: integer({ mode: 'boolean' }).notNull(),
    /** It stands for the system's one with its id. */
    is_system: integer({ mode: 'boolean' }).notNull(),
    /** One of the system's that this workspace does not want. */
    deleted: integer({ mode: 'boolean' }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    uniqueIndex('block_type_by_slug').on(table.workspace_id, table.slug),
  ],
)

/** Written and read by storage/block-schemas. */
export const blockSchema = sqliteTable(
  'block_schema',
  {
    ...stored,
    block_type_id: text().notNull(),
    checksum: text().notNull(),
    version: text().notNull(),
    capabilities: json<string[]>().notNull(),
    /** The JSON as it was sent, without what is built from other schemas: a parsed value has lost how its numbers were written. */
    fields: text().notNull(),
    /** Which schemas stand under which names. */
    block_schema_references: json<{ name: string; id: string }[]>().notNull(),
    /** One of the system's that this workspace does not want. */
    deleted: integer({ mode: 'boolean' }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    uniqueIndex('block_schema_by_checksum').on(table.workspace_id, table.checksum, table.version),
  ],
)

/** Written and read by storage/block-documents. */
export const blockDocument = sqliteTable(
  'block_document',
  {
    ...stored,
    block_type_id: text().notNull(),
    block_type_name: text().notNull(),
    block_schema_id: text().notNull(),
    name: text().notNull(),
    is_anonymous: integer({ mode: 'boolean' }).notNull(),
    /** Its data, sealed by storage/sealed-text. */
    data: text().notNull(),
    /** Which documents stand under which keys of the data. */
    block_document_references: json<Record<string, string>>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.id] }),
    uniqueIndex('block_document_by_name').on(table.workspace_id, table.block_type_id, table.name),
  ],
)

/** One value for the whole workspace under each key. Written and read by storage/result-storage. */
export const configuration = sqliteTable(
  'configuration',
  {
    workspace_id: text().notNull(),
    key: text().notNull(),
    value: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.key] })],
)

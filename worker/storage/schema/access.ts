import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

// The control store: who may do what, and where each workspace's data lies. Read at every request (through a short cache).

/** Written by operations/create-workspace; read by nothing hot. */
export const account = sqliteTable('account', {
  id: text().primaryKey(),
  created: text().notNull(),
  updated: text().notNull(),
  name: text().notNull(),
  /** Its plan, and what of that differs, as JSON (`domain/plans`); null: as the service has it. Written by storage/usage. */
  plan: text(),
  limits: text(),
})

/** Written by operations/create-workspace; read by http/auth at each request. */
export const workspace = sqliteTable(
  'workspace',
  {
    id: text().primaryKey(),
    created: text().notNull(),
    updated: text().notNull(),
    account_id: text()
      .notNull()
      .references(() => account.id),
    name: text().notNull(),
    /** The name of the D1 binding that holds this workspace's rows. */
    store: text().notNull(),
    /** Where its objects are made: a location hint or null. Fixed at creation, since objects never move. */
    region: text(),
    /** How many event streams and log shards its flow runs are spread over. May grow, never shrink. */
    event_streams: integer().notNull(),
    log_shards: integer().notNull(),
  },
  (table) => [uniqueIndex('workspace_by_name').on(table.account_id, table.name)],
)

/** The people of an account. Written by operations/members; read by http/auth through `storage/access`. */
export const accountMember = sqliteTable(
  'account_member',
  {
    account_id: text()
      .notNull()
      .references(() => account.id),
    user_id: text().notNull(),
    /** owner, admin, member or billing (`domain/permissions`). */
    role: text().notNull(),
    created: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.account_id, table.user_id] }),
    index('account_member_by_user').on(table.user_id),
  ],
)

/** Who may do what in a workspace: people and service accounts. Written by operations/members; read by http/auth. */
export const workspaceMember = sqliteTable(
  'workspace_member',
  {
    workspace_id: text()
      .notNull()
      .references(() => workspace.id),
    /** `user` or `service_account`. */
    member_kind: text().notNull(),
    member_id: text().notNull(),
    /** owner, developer, runner or viewer (`domain/permissions`). */
    role: text().notNull(),
    created: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspace_id, table.member_kind, table.member_id] }),
    index('workspace_member_by_member').on(table.member_kind, table.member_id),
  ],
)

/** Written by operations/service-accounts. What it may do, its roles in workspaces say. */
export const serviceAccount = sqliteTable(
  'service_account',
  {
    id: text().primaryKey(),
    created: text().notNull(),
    updated: text().notNull(),
    account_id: text()
      .notNull()
      .references(() => account.id),
    name: text().notNull(),
    /** The caller who made it, in words: its kind and id. */
    created_by: text().notNull(),
  },
  (table) => [index('service_account_by_account').on(table.account_id)],
)

/** A role that is offered to who proves an address. Written by storage/invitations. */
export const invitation = sqliteTable(
  'invitation',
  {
    id: text().primaryKey(),
    created: text().notNull(),
    account_id: text()
      .notNull()
      .references(() => account.id),
    workspace_id: text()
      .notNull()
      .references(() => workspace.id),
    /** Lower case. */
    email: text().notNull(),
    /** In the workspace. */
    role: text().notNull(),
    created_by: text().notNull(),
    expires: text().notNull(),
    accepted: text(),
    revoked: text(),
  },
  (table) => [
    index('invitation_by_workspace').on(table.workspace_id),
    index('invitation_by_email').on(table.email),
  ],
)

/** Written by operations/api-keys; read by http/auth. Only the hash of a key is stored. */
export const apiKey = sqliteTable(
  'api_key',
  {
    /** SHA-256 of the key, hexadecimal. */
    hash: text().primaryKey(),
    id: text().notNull(),
    created: text().notNull(),
    /** workspace, personal, service_account or agent (`domain/permissions`). */
    kind: text().notNull().default('workspace'),
    /** Null: the key is good for every workspace that its owner has a role in. */
    workspace_id: text().references(() => workspace.id),
    /** The person or the service account whose rights it has; null for keys of a workspace or of agents. */
    owner_id: text(),
    name: text().notNull(),
    /** The prefix and the last four characters, to recognise a key by. */
    hint: text().notNull(),
    /** JSON, the permissions that it is limited to; null: all of its owner's. */
    scopes: text(),
    /** JSON, the ids of the work pools that an agent's key serves; null: all. */
    work_pool_ids: text(),
    created_by: text(),
    /** Of an agent's key: the enrolment that it, or the key that it replaces, came of. */
    enrolment_id: text(),
    expires: text(),
    revoked: text(),
    /** To the hour, so that a busy key costs one write an hour. */
    last_used: text(),
  },
  (table) => [
    uniqueIndex('api_key_by_id').on(table.id),
    index('api_key_by_workspace').on(table.workspace_id),
    index('api_key_by_owner').on(table.owner_id),
  ],
)

/** Each use of its token makes a key for one agent. Written and read by storage/enrolments. Only the hash of a token is stored. */
export const enrolment = sqliteTable(
  'enrolment',
  {
    /** SHA-256 of the token, hexadecimal. */
    hash: text().primaryKey(),
    id: text().notNull(),
    created: text().notNull(),
    workspace_id: text()
      .notNull()
      .references(() => workspace.id),
    name: text().notNull(),
    /** The prefix and the last four characters of the token. */
    hint: text().notNull(),
    /** JSON, the ids of the work pools that its keys serve. */
    work_pool_ids: text().notNull(),
    created_by: text().notNull(),
    expires: text().notNull(),
    max_uses: integer().notNull(),
    uses: integer().notNull(),
    key_seconds: integer().notNull(),
    revoked: text(),
  },
  (table) => [index('enrolment_by_workspace').on(table.workspace_id)],
)

/**
 * The homes of a workspace's flow runs. Written when a work pool or a workspace is made, never deleted and never reused;
 * read to decide whether an id names a home at all.
 */
export const home = sqliteTable(
  'home',
  {
    workspace_id: text().notNull(),
    key: text().notNull(),
    created: text().notNull(),
    /** Null for the homes of runs without a pool. */
    work_pool_id: text(),
  },
  (table) => [primaryKey({ columns: [table.workspace_id, table.key] })],
)

import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

// The people of the service and how they prove who they are, in the control store. The tables down to `verification` are
// better-auth's, which names their fields: it writes and reads them by `http/people-auth`, unless another reader is named.

const time = (name: string) => integer(name, { mode: 'timestamp_ms' })

/** Also written by storage/people for the first owner of an account, and read by http/session. */
export const user = sqliteTable('user', {
  id: text().primaryKey(),
  name: text().notNull(),
  /** Lower case. */
  email: text().notNull().unique(),
  emailVerified: integer('email_verified', { mode: 'boolean' }).notNull(),
  image: text(),
  createdAt: time('created').notNull(),
  updatedAt: time('updated').notNull(),
})

/** Read at each request with a session, by http/session through a short cache. */
export const session = sqliteTable(
  'session',
  {
    id: text().primaryKey(),
    token: text().notNull().unique(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    expiresAt: time('expires').notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    createdAt: time('created').notNull(),
    updatedAt: time('updated').notNull(),
  },
  (table) => [index('session_by_user').on(table.userId)],
)

/** What better-auth calls an account: a person's password; another provider would have rows of its own. */
export const login = sqliteTable(
  'login',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    /** `credential`: a password. */
    providerId: text('provider_id').notNull(),
    accountId: text('account_id').notNull(),
    /** The hash of the password. */
    password: text(),
    // Of other providers: better-auth's model has them.
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: time('access_token_expires'),
    refreshTokenExpiresAt: time('refresh_token_expires'),
    scope: text(),
    createdAt: time('created').notNull(),
    updatedAt: time('updated').notNull(),
  },
  (table) => [
    index('login_by_user').on(table.userId),
    uniqueIndex('login_by_account').on(table.providerId, table.accountId),
  ],
)

/** What is open for a while: resets of passwords. */
export const verification = sqliteTable(
  'verification',
  {
    id: text().primaryKey(),
    identifier: text().notNull(),
    value: text().notNull(),
    expiresAt: time('expires').notNull(),
    createdAt: time('created').notNull(),
    updatedAt: time('updated').notNull(),
  },
  (table) => [index('verification_by_identifier').on(table.identifier)],
)

/** How often something was tried: at signing in, by address and by account. Written and read by storage/attempts. */
export const attempt = sqliteTable(
  'attempt',
  {
    /** What is tried and by whom; people and addresses as hashes. */
    key: text().primaryKey(),
    count: integer().notNull(),
    /** When it is forgotten. */
    ends: time('ends').notNull(),
  },
  (table) => [index('attempt_by_end').on(table.ends)],
)

/** The one-time link that makes the first owner of an account. Written and read by storage/setup-links. */
export const setupLink = sqliteTable('setup_link', {
  /** SHA-256 of the link's secret, hexadecimal. */
  token_hash: text().primaryKey(),
  account_id: text().notNull(),
  created: text().notNull(),
  expires: text().notNull(),
  used: text(),
})

/** The newest mails of a server on one machine, which sends none: written and read by storage/outbox. */
export const outboxMail = sqliteTable('outbox_mail', {
  id: text().primaryKey(),
  created: text().notNull(),
  recipient: text().notNull(),
  subject: text().notNull(),
  body: text().notNull(),
})

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
  /** Null: as false. */
  twoFactorEnabled: integer('two_factor_enabled', { mode: 'boolean' }).default(false),
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

/** What better-auth calls an account: a person's password, or who it is at a provider. Also read by storage/people. */
export const login = sqliteTable(
  'login',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    /** `credential`: a password; `github`, `google`. */
    providerId: text('provider_id').notNull(),
    accountId: text('account_id').notNull(),
    /** The hash of the password. */
    password: text(),
    // Of other providers: better-auth's model has them. Their tokens are not kept.
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

/** What a person's app computes codes from. better-auth calls it `twoFactor`, and seals the secret and the backup codes. */
export const secondFactor = sqliteTable('second_factor', {
  id: text().primaryKey(),
  userId: text('user_id')
    .notNull()
    .unique()
    .references(() => user.id, { onDelete: 'cascade' }),
  secret: text().notNull(),
  backupCodes: text('backup_codes').notNull(),
  /** Whether a code of it was given once; until then nobody is asked for one. */
  verified: integer({ mode: 'boolean' }),
  failedVerificationCount: integer('failed_verification_count').default(0),
  lockedUntil: time('locked_until'),
})

/** The public halves of keys that devices keep. Also read by storage/people. */
export const passkey = sqliteTable(
  'passkey',
  {
    id: text().primaryKey(),
    name: text(),
    publicKey: text('public_key').notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    credentialID: text('credential_id').notNull().unique(),
    counter: integer().notNull(),
    deviceType: text('device_type').notNull(),
    backedUp: integer('backed_up', { mode: 'boolean' }).notNull(),
    transports: text(),
    createdAt: time('created'),
    aaguid: text(),
  },
  (table) => [index('passkey_by_user').on(table.userId)],
)

/** What is open for a while: resets of passwords, second factors that are asked for, ways to a provider and back. */
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

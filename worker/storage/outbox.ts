import { formatTimestamp, type Micros } from '#core/time.ts'
import { newId } from './new-id.ts'

// The mails of a server on one machine, which sends none. Takes the database: mails are people's, not a workspace's.

interface OutboxMail {
  created: string
  recipient: string
  subject: string
  body: string
}

/** Which of them are kept. */
const KEPT_MAILS = 50

export async function keepMail(
  db: D1Database,
  mail: { to: string; subject: string; text: string },
  now: Micros,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        'INSERT INTO outbox_mail (id, created, recipient, subject, body) VALUES (?, ?, ?, ?, ?)',
      )
      .bind(newId(now), formatTimestamp(now), mail.to, mail.subject, mail.text),
    db.prepare(
      `DELETE FROM outbox_mail WHERE id NOT IN (SELECT id FROM outbox_mail ORDER BY id DESC LIMIT ${KEPT_MAILS})`,
    ),
  ])
}

/** The newest first. */
export async function readOutbox(db: D1Database): Promise<OutboxMail[]> {
  const { results } = await db
    .prepare('SELECT created, recipient, subject, body FROM outbox_mail ORDER BY id DESC')
    .all<OutboxMail>()
  return results
}

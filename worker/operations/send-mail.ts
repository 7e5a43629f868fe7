import { formatTimestamp, type Micros } from '#core/time.ts'
import { newId } from '#storage/new-id.ts'
import type { Bindings } from '#storage/workspace.ts'

export interface Mail {
  to: string
  subject: string
  text: string
}

/** The one way by which mail leaves. */
export interface Mailer {
  /** @throws Error when the mail was not taken */
  send(mail: Mail): Promise<void>
}

/** An outbox on one machine shows the newest of them. */
const KEPT_MAILS = 50
/** What most HTTP mail APIs take; Resend takes it as it is. */
const PLAIN_BODY = '{"from":"{{from}}","to":["{{to}}"],"subject":"{{subject}}","text":"{{text}}"}'
const TIMEOUT_MS = 20_000

/**
 * The mailer that is configured: Cloudflare's `send_email` binding MAIL, an HTTP API, or the outbox of a server on one machine.
 * Undefined: none, so nothing may depend on mail.
 */
export function mailerOf(bindings: Bindings): Mailer | undefined {
  const { HEADGATE_MAIL_FROM: from, HEADGATE_MAIL_URL: url, MAIL: binding } = bindings
  if (from !== undefined && binding !== undefined) {
    return {
      async send(mail) {
        await binding.send({ from, ...mail })
      },
    }
  }
  if (from !== undefined && url !== undefined) {
    return { send: (mail) => post(bindings, url, { from, ...mail }) }
  }
  if (bindings.HEADGATE_LOCAL_OUTBOX === 'true') {
    return { send: (mail) => keep(bindings.DB, mail, Date.now() * 1000) }
  }
  return undefined
}

async function post(bindings: Bindings, url: string, mail: Mail & { from: string }): Promise<void> {
  const header = bindings.HEADGATE_MAIL_HEADER ?? ''
  const colon = header.indexOf(':')
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(colon < 0 ? {} : { [header.slice(0, colon).trim()]: header.slice(colon + 1).trim() }),
    },
    body: fillTemplate(bindings.HEADGATE_MAIL_BODY ?? PLAIN_BODY, mail),
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  await response.body?.cancel()
  if (!response.ok) {
    throw new Error(`the mail API answered ${response.status}`)
  }
}

/** JSON, in whose texts `{{from}}`, `{{to}}`, `{{subject}}` and `{{text}}` stand for what the mail says. */
function fillTemplate(template: string, mail: Mail & { from: string }): string {
  const values: Record<string, string> = { ...mail }
  return JSON.stringify(
    JSON.parse(template, (_key, value: unknown) =>
      typeof value === 'string'
        ? value.replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole)
        : value,
    ),
  )
}

async function keep(db: D1Database, mail: Mail, now: Micros): Promise<void> {
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

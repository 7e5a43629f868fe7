import { keepMail } from '#storage/outbox.ts'
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
  if (bindings.HEADGATE_LOCAL_OUTBOX !== undefined) {
    return { send: (mail) => keep(bindings, mail) }
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

async function keep(bindings: Bindings, mail: Mail): Promise<void> {
  await keepMail(bindings.DB, mail, Date.now() * 1000)
  if (bindings.HEADGATE_LOCAL_OUTBOX !== 'kept') {
    // oxlint-disable-next-line no-console -- the terminal is where the mail of one machine is read; of the rest workerd says nothing there
    console.error(`\nMail to ${mail.to}: ${mail.subject}\n\n${mail.text}`)
  }
}

import type { JsonObject } from '#core/wire/common.ts'

/** A call that a block makes. */
export interface OutgoingRequest {
  method: string
  url: string
  headers: Record<string, string>
  body: string | undefined
  /** Milliseconds. */
  timeout?: number
  /** Prefect follows redirects for most of its blocks, not for those of plain webhooks. */
  followsRedirects: boolean
}

export interface Notification {
  subject: string | null
  body: string
}

/** A block whose data makes no request. */
export class NotificationFault extends Error {
  override readonly name = 'NotificationFault'
}

export const SENDER = 'Prefect Notifications'

export function jsonRequest(
  url: string,
  payload: JsonObject,
  headers: Record<string, string> = {},
): OutgoingRequest {
  return {
    method: 'POST',
    url,
    headers: { 'User-Agent': SENDER, 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(payload),
    followsRedirects: true,
  }
}

/** Subject and body as all of them send it. */
export function tidy({ subject, body }: Notification): { title: string; text: string } {
  const tidied = { title: (subject ?? '').trim(), text: body.trimEnd() }
  if (tidied.title === '' && tidied.text === '') {
    throw new NotificationFault('There is nothing to send: subject and body are empty.')
  }
  return tidied
}

/** For those that have no place for a subject. */
export function joined(notification: Notification): string {
  const { title, text } = tidy(notification)
  return title === '' ? text : `${title}\r\n${text}`
}

const TYPES = ['info', 'success', 'warning', 'failure'] as const
export type NotifyType = (typeof TYPES)[number]

export function notifyType(data: JsonObject): NotifyType {
  const type = data['notify_type'] ?? 'info'
  const known = TYPES.find((one) => one === type)
  if (known === undefined) {
    throw new NotificationFault(
      `notify_type is one of ${TYPES.join(', ')}, not ${JSON.stringify(type)}.`,
    )
  }
  return known
}

export function imageOf(type: NotifyType, size: string): string {
  return `https://github.com/caronc/apprise/raw/master/apprise/assets/themes/default/apprise-${type}-${size}.png`
}

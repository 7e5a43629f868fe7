import type { JsonObject } from '#core/wire/common.ts'
import { needText, texts } from './block-data.ts'
import { jsonRequest, tidy, type Notification, type OutgoingRequest } from './outgoing.ts'

export function sendgridRequests(data: JsonObject, notification: Notification): OutgoingRequest[] {
  const { title, text } = tidy(notification)
  const sender = needText(data, 'sender_email')
  const headers = { Authorization: `Bearer ${needText(data, 'api_key')}` }
  const receivers = texts(data, 'to_emails')
  // Without receivers the sender gets it.
  return (receivers.length === 0 ? [sender] : receivers).map((email) =>
    jsonRequest(
      'https://api.sendgrid.com/v3/mail/send',
      {
        personalizations: [{ to: [{ email }] }],
        from: { email: sender },
        subject: title === '' ? '<no subject>' : title,
        content: [{ type: 'text/html', value: text }],
      },
      headers,
    ),
  )
}

import type { JsonObject } from '#core/wire/common.ts'
import { needText, texts } from './block-data.ts'
import { encodeForm, toBase64 } from './encode.ts'
import {
  joined,
  NotificationFault,
  SENDER,
  type Notification,
  type OutgoingRequest,
} from './outgoing.ts'

export function twilioRequests(data: JsonObject, notification: Notification): OutgoingRequest[] {
  const account = needText(data, 'account_sid')
  const from = phone(needText(data, 'from_phone_number'))
  const credentials = toBase64(`${account}:${needText(data, 'auth_token')}`)
  const body = joined(notification)
  return texts(data, 'to_phone_numbers').map((to) => ({
    method: 'POST',
    url: `https://api.twilio.com/2010-04-01/Accounts/${encodeURIComponent(account)}/Messages.json`,
    headers: {
      'User-Agent': SENDER,
      'Content-Type': 'application/x-www-form-urlencoded',
      Authorization: `Basic ${credentials}`,
    },
    body: encodeForm({ Body: body, From: from, To: phone(to) }),
    followsRedirects: true,
  }))
}

function phone(text: string): string {
  const digits = text.replace(/\D/g, '')
  if (digits.length < 5 || digits.length > 14) {
    throw new NotificationFault(`'${text}' is no phone number.`)
  }
  return digits.length > 6 ? `+${digits}` : digits
}

import { applyValues, placeholderNames } from '#core/placeholders.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'
import { maybeText, needText, textMap } from './block-data.ts'
import { encodeForm } from './encode.ts'
import { NotificationFault, SENDER, type Notification, type OutgoingRequest } from './outgoing.ts'

const FIELDS = ['url', 'params', 'form_data', 'json_data', 'headers', 'cookies'] as const

/** A block whose parts are templates of subject, body, name and its own secrets. */
export function customWebhookRequests(
  data: JsonObject,
  { subject, body }: Notification,
): OutgoingRequest[] {
  const values: JsonObject = {
    ...textMap(data['secrets']),
    subject: subject ?? 'null',
    body,
    name: needText(data, 'name'),
  }
  const filled = fill(data, values)
  const [form, json] = [filled['form_data'] ?? null, filled['json_data'] ?? null]
  if (form !== null && json !== null) {
    throw new NotificationFault('The block has both form data and JSON data.')
  }
  const sent = content(form, json)
  const cookies = Object.entries(textMap(filled['cookies']) ?? {})
  const timeout = data['timeout']
  return [
    {
      method: maybeText(data, 'method') ?? 'POST',
      url: withParams(needText(filled, 'url'), textMap(filled['params'])),
      headers: {
        'User-Agent': SENDER,
        ...(sent.type === undefined ? {} : { 'Content-Type': sent.type }),
        ...(cookies.length === 0
          ? {}
          : { Cookie: cookies.map(([name, value]) => `${name}=${value}`).join('; ') }),
        ...textMap(filled['headers']),
      },
      body: sent.body,
      timeout: (typeof timeout === 'number' ? timeout : 10) * 1000,
      followsRedirects: false,
    },
  ]
}

function fill(data: JsonObject, values: JsonObject): JsonObject {
  const filled: JsonObject = {}
  for (const field of FIELDS) {
    const template = data[field] ?? null
    const unknown = placeholderNames(template).find((name) => values[name] === undefined)
    if (unknown !== undefined) {
      throw new NotificationFault(`The block's ${field} names '${unknown}', which it doesn't have.`)
    }
    filled[field] = applyValues(template, values) ?? null
  }
  return filled
}

function content(form: Json, json: Json): { body: string | undefined; type: string | undefined } {
  if (json !== null) {
    return { body: JSON.stringify(json), type: 'application/json' }
  }
  if (typeof form === 'string') {
    return { body: form, type: undefined }
  }
  const fields = textMap(form)
  return fields === undefined || Object.keys(fields).length === 0
    ? { body: undefined, type: undefined }
    : { body: encodeForm(fields), type: 'application/x-www-form-urlencoded' }
}

/** Given parameters take the place of those in the address. */
function withParams(url: string, params: Record<string, string> | undefined): string {
  if (params === undefined) {
    return url
  }
  const [, base = url, fragment = ''] = /^([^?#]*)(?:\?[^#]*)?(#.*)?$/s.exec(url) ?? []
  return `${base}?${encodeForm(params)}${fragment}`
}

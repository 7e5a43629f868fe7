import type { JsonObject } from '#core/wire/common.ts'
import { maybeText, needText, textMap } from './block-data.ts'
import type { OutgoingRequest } from './outgoing.ts'

/** The call of a `webhook` block; a GET has no body, whatever the payload is. */
export function webhookRequest(data: JsonObject, payload: string): OutgoingRequest {
  const method = maybeText(data, 'method') ?? 'POST'
  return {
    method,
    url: needText(data, 'url'),
    headers: { 'User-Agent': 'Headgate', ...textMap(data['headers']) },
    body: method === 'GET' || payload === '' ? undefined : payload,
    followsRedirects: false,
  }
}

/** Headers of an answer that are nobody's business, or only noise. */
export function isQuietHeader(name: string): boolean {
  return /^(?:authorization|set-cookie|traceparent|via)$|^x-(?:forwarded|b3|cloud-trace|envoy|prefect)/i.test(
    name,
  )
}

/** At most so many characters, those of the middle left out. */
export function cutMiddle(text: string, length: number): string {
  if (text.length <= length) {
    return text
  }
  const half = Math.floor(length / 2)
  const omitted = text.length - half * 2
  const cut = `${text.slice(0, half)}...${omitted} additional characters...${text.slice(-half)}`
  return cut.length < text.length ? cut : text
}

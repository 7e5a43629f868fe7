import type { JsonObject } from '#core/wire/common.ts'
import { flag, maybeText, needText, textMap, texts } from './block-data.ts'
import {
  jsonRequest,
  notifyType,
  SENDER,
  tidy,
  type Notification,
  type OutgoingRequest,
} from './outgoing.ts'

const HOSTS = { us: 'api.opsgenie.com', eu: 'api.eu.opsgenie.com' }
/** What Opsgenie takes of a message, and how many responders in one alert. */
const MAX_MESSAGE = 130
const MAX_RESPONDERS = 50

export function opsgenieRequests(data: JsonObject, notification: Notification): OutgoingRequest[] {
  const { title, text } = tidy(notification)
  const [entity, alias] = [maybeText(data, 'entity'), maybeText(data, 'alias')]
  const tags = texts(data, 'tags')
  const payload = {
    source: SENDER,
    message: cut(title === '' ? text : title),
    description: text,
    details: { ...textMap(data['details']), type: notifyType(data) },
    priority: `P${typeof data['priority'] === 'number' ? data['priority'] : 3}`,
    ...(tags.length === 0 ? {} : { tags }),
    ...(entity === undefined ? {} : { entity }),
    ...(alias === undefined ? {} : { alias }),
  }
  const headers = { Authorization: `GenieKey ${needText(data, 'apikey')}` }
  const url = `https://${HOSTS[data['region_name'] === 'eu' ? 'eu' : 'us']}/v2/alerts`
  const groups = inGroups(respondersOf(data), flag(data, 'batch', false) ? MAX_RESPONDERS : 1)
  return groups.length === 0
    ? [jsonRequest(url, payload, headers)]
    : groups.map((responders) => jsonRequest(url, { ...payload, responders }, headers))
}

function cut(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3)}...` : message
}

function respondersOf(data: JsonObject): JsonObject[] {
  return [
    ...texts(data, 'target_team').map((name) => ({ type: 'team', name })),
    ...texts(data, 'target_schedule').map((name) => ({ type: 'schedule', name })),
    ...texts(data, 'target_user').map((username) => ({ type: 'user', username })),
    ...texts(data, 'target_escalation').map((name) => ({ type: 'escalation', name })),
  ]
}

function inGroups(responders: readonly JsonObject[], size: number): JsonObject[][] {
  return Array.from({ length: Math.ceil(responders.length / size) }, (_, index) =>
    responders.slice(index * size, (index + 1) * size),
  )
}

import type { JsonObject } from '#core/wire/common.ts'
import { flag, maybeText, needText, textMap } from './block-data.ts'
import {
  imageOf,
  jsonRequest,
  notifyType,
  SENDER,
  tidy,
  type Notification,
  type OutgoingRequest,
} from './outgoing.ts'

const HOSTS = { us: 'events.pagerduty.com', eu: 'events.eu.pagerduty.com' }
const SEVERITIES = { info: 'info', success: 'info', warning: 'warning', failure: 'critical' }

export function pagerDutyRequests(data: JsonObject, notification: Notification): OutgoingRequest[] {
  const type = notifyType(data)
  const { title, text } = tidy(notification)
  const hasSubject = (notification.subject ?? '') !== ''
  const [group, classId] = [maybeText(data, 'group'), maybeText(data, 'class_id')]
  const details = {
    ...textMap(data['custom_details']),
    // The subject takes the place of the summary, so that the body goes where there is room.
    ...(hasSubject ? { 'Prefect Notification Body': withoutLineEnds(notification.body) } : {}),
  }
  const link = maybeText(data, 'clickable_url')
  return [
    jsonRequest(
      `https://${HOSTS[data['region_name'] === 'eu' ? 'eu' : 'us']}/v2/enqueue`,
      {
        routing_key: needText(data, 'integration_key'),
        payload: {
          summary: hasSubject ? `${title}\r\n` : text,
          severity: SEVERITIES[type],
          source: maybeText(data, 'source') ?? 'Prefect',
          component: maybeText(data, 'component') ?? 'Notification',
          ...(group === undefined ? {} : { group }),
          ...(classId === undefined ? {} : { class: classId }),
          ...(Object.keys(details).length === 0 ? {} : { custom_details: details }),
        },
        client: SENDER,
        event_action: 'trigger',
        ...(link === undefined ? {} : { links: [{ href: link }] }),
        ...(flag(data, 'include_image', true)
          ? { images: [{ src: imageOf(type, '128x128'), alt: type }] }
          : {}),
      },
      { Authorization: `Token token=${needText(data, 'api_key')}` },
    ),
  ]
}

function withoutLineEnds(text: string): string {
  let end = text.length
  while (text[end - 1] === '\n' || text[end - 1] === '\r') {
    end -= 1
  }
  return text.slice(0, end)
}

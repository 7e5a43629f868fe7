import type { JsonObject } from '#core/wire/common.ts'
import { flag, maybeText, needText, texts } from './block-data.ts'
import {
  imageOf,
  joined,
  jsonRequest,
  NotificationFault,
  notifyType,
  type Notification,
  type OutgoingRequest,
} from './outgoing.ts'

const DEFAULT_PORT = 8065

export function mattermostRequests(
  data: JsonObject,
  notification: Notification,
): OutgoingRequest[] {
  const host = needText(data, 'hostname')
  const port = typeof data['port'] === 'number' ? data['port'] : DEFAULT_PORT
  if (!/^[\w.-]+$|^\[[\da-fA-F:.]+\]$/.test(host)) {
    throw new NotificationFault(`'${host}' is no host name.`)
  }
  const path = (maybeText(data, 'path') ?? '').split('/').filter((part) => part !== '')
  const folder = path.map((part) => `/${encodeURIComponent(part)}`).join('')
  const scheme = flag(data, 'secure', false) ? 'https' : 'http'
  const token = encodeURIComponent(needText(data, 'token'))
  const payload = {
    text: joined(notification),
    ...(flag(data, 'include_image', false) ? { icon_url: imageOf(notifyType(data), '72x72') } : {}),
    username: maybeText(data, 'botname') ?? 'Apprise',
  }
  const channels = texts(data, 'channels').map((channel) => channel.replace(/^#/, ''))
  const places = channels.length === 0 ? [{}] : channels.map((channel) => ({ channel }))
  return places.map((place) =>
    jsonRequest(`${scheme}://${host}:${port}${folder}/hooks/${token}`, { ...payload, ...place }),
  )
}

import type { JsonObject } from '#core/wire/common.ts'
import { flag, maybeText, needText } from './block-data.ts'
import {
  imageOf,
  joined,
  jsonRequest,
  notifyType,
  type Notification,
  type OutgoingRequest,
} from './outgoing.ts'

export function discordRequests(data: JsonObject, notification: Notification): OutgoingRequest[] {
  const [id, token] = [needText(data, 'webhook_id'), needText(data, 'webhook_token')]
  const tts = flag(data, 'tts', false)
  const bot = maybeText(data, 'botname')
  const avatar = flag(data, 'avatar', false)
    ? (maybeText(data, 'avatar_url') ?? imageOf(notifyType(data), '256x256'))
    : undefined
  return [
    jsonRequest(
      `https://discord.com/api/webhooks/${encodeURIComponent(id)}/${encodeURIComponent(token)}`,
      {
        tts,
        wait: !tts,
        ...(avatar === undefined ? {} : { avatar_url: avatar }),
        ...(bot === undefined ? {} : { username: bot }),
        content: joined(notification),
      },
      { 'Content-Type': 'application/json; charset=utf-8' },
    ),
  ]
}

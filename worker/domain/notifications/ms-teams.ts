import type { JsonObject } from '#core/wire/common.ts'
import { flag, needText } from './block-data.ts'
import {
  imageOf,
  jsonRequest,
  NotificationFault,
  notifyType,
  tidy,
  type Notification,
  type OutgoingRequest,
} from './outgoing.ts'

/** A workflow of Power Automate. */
const WORKFLOW =
  /^https:\/\/[^/]+(?:\/[^?]*)?\/workflows\/[\w-]+\/triggers\/manual\/paths\/invoke\/?\?.*\bsig=/i

export function msTeamsRequests(data: JsonObject, notification: Notification): OutgoingRequest[] {
  const url = needText(data, 'url')
  if (!WORKFLOW.test(url)) {
    throw new NotificationFault('The address of the block is no workflow of Microsoft Teams.')
  }
  const { title, text } = tidy(notification)
  const type = notifyType(data)
  const image = flag(data, 'include_image', true)
    ? [{ type: 'Image', url: imageOf(type, '32x32'), height: '32px', altText: type }]
    : []
  const heading =
    title === ''
      ? []
      : [
          {
            type: 'TextBlock',
            text: title,
            style: 'heading',
            weight: 'Bolder',
            size: 'Large',
            id: 'title',
          },
        ]
  const body = [
    ...image,
    ...heading,
    { type: 'TextBlock', text, style: 'default', wrap: flag(data, 'wrap', true), id: 'body' },
  ]
  return [
    jsonRequest(url, {
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          contentUrl: null,
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.4',
            body,
            msteams: { width: 'full' },
          },
        },
      ],
    }),
  ]
}

import type { Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { needText } from './block-data.ts'
import {
  imageOf,
  jsonRequest,
  NotificationFault,
  notifyType,
  SENDER,
  tidy,
  type Notification,
  type OutgoingRequest,
} from './outgoing.ts'

const WEBHOOK = /^https?:\/\/(hooks\.slack(?:-gov)?\.com)\/services\/(\w+\/\w+\/\w+)\/?$/i
/** The form that says also to which channels, and as whom. */
const SHORT = /^slack:\/\/(?:([^@/]+)@)?(\w+\/\w+\/\w+)((?:\/+[#@+]?[\w-]+)*)\/*$/i

const COLORS = { info: '#3AA3E3', success: '#3AA337', warning: '#CACF29', failure: '#A32037' }

export function slackRequests(
  data: JsonObject,
  notification: Notification,
  now: Micros,
): OutgoingRequest[] {
  const { host, tokens, bot, channels } = readAddress(needText(data, 'url'))
  const type = notifyType(data)
  const { title, text } = tidy(notification)
  const image = imageOf(type, '72x72')
  const payload: JsonObject = {
    mrkdwn: true,
    attachments: [
      {
        title: escape(title),
        text: withMentions(escape(text)),
        color: COLORS[type],
        footer_icon: image,
        footer: SENDER,
        ts: now / 1_000_000,
      },
    ],
    icon_url: image,
    ...(bot === undefined ? {} : { username: bot }),
  }
  const places = channels.length === 0 ? [{}] : channels.map((channel) => ({ channel }))
  return places.map((place) =>
    jsonRequest(
      `https://${host}/services/${tokens}`,
      { ...payload, ...place },
      { 'Content-Type': 'application/json; charset=utf-8' },
    ),
  )
}

function readAddress(url: string) {
  const webhook = WEBHOOK.exec(url)
  if (webhook !== null) {
    const [, host = '', tokens = ''] = webhook
    return { host: host.toLowerCase(), tokens, bot: undefined, channels: [] }
  }
  const short = SHORT.exec(url)
  if (short === null) {
    throw new NotificationFault('The address of the block is no webhook of Slack.')
  }
  const [, bot, tokens = '', channels = ''] = short
  return {
    host: 'hooks.slack.com',
    tokens,
    bot,
    channels: channels
      .split('/')
      .filter((channel) => channel !== '')
      .map((channel) => (/^[#@+]/.test(channel) ? channel : `#${channel}`)),
  }
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Slack's own marks stay what they are: `<@user>`, `<!channel>`, `<https://…|text>`. */
function withMentions(text: string): string {
  return text.replace(
    /&lt;[ \t]*([!@][^| \n]+?|(?:https?|mailto):\/\/[^| \n]+?)(?:[ \t]*\|[ \t]*([^\n]*?)[ \t]*)?&gt;/gi,
    (_whole, target: string, label: string | undefined) =>
      `<${target.replaceAll('&amp;', '&')}${label === undefined || label === '' ? '' : `|${label}`}>`,
  )
}

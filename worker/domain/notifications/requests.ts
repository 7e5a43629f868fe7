import type { Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { customWebhookRequests } from './custom-webhook.ts'
import { discordRequests } from './discord.ts'
import { mattermostRequests } from './mattermost.ts'
import { msTeamsRequests } from './ms-teams.ts'
import { opsgenieRequests } from './opsgenie.ts'
import { NotificationFault, type Notification, type OutgoingRequest } from './outgoing.ts'
import { pagerDutyRequests } from './pager-duty.ts'
import { sendgridRequests } from './sendgrid.ts'
import { slackRequests } from './slack.ts'
import { twilioRequests } from './twilio.ts'

type Build = (data: JsonObject, notification: Notification, now: Micros) => OutgoingRequest[]

const BUILDERS: ReadonlyMap<string, Build> = new Map<string, Build>([
  ['slack-webhook', slackRequests],
  ['ms-teams-webhook', msTeamsRequests],
  ['pager-duty-webhook', pagerDutyRequests],
  ['twilio-sms', twilioRequests],
  ['opsgenie-webhook', opsgenieRequests],
  ['mattermost-webhook', mattermostRequests],
  ['discord-webhook', discordRequests],
  ['sendgrid-email', sendgridRequests],
  ['custom-webhook', customWebhookRequests],
])

export function canNotify(blockType: string): boolean {
  return BUILDERS.has(blockType)
}

/** The requests by which a block sends a notification, the same that Prefect's own block sends. Throws NotificationFault. */
export function notificationRequests(
  blockType: string,
  data: JsonObject,
  notification: Notification,
  now: Micros,
): OutgoingRequest[] {
  const build = BUILDERS.get(blockType)
  if (build === undefined) {
    throw new NotificationFault(`A block of type '${blockType}' sends no notifications.`)
  }
  return build(data, notification, now)
}

import type { BlockDocument } from '#core/wire/block-document.ts'
import type { JsonObject } from '#core/wire/common.ts'
import {
  NotificationFault,
  type Notification,
  type OutgoingRequest,
} from '#domain/notifications/outgoing.ts'
import { notificationRequests } from '#domain/notifications/requests.ts'
import { cutMiddle, isQuietHeader, webhookRequest } from '#domain/notifications/webhook.ts'
import type { Workspace } from '#storage/workspace.ts'
import { CallFailed, guardedFetch } from './guarded-fetch.ts'

/** What became of a message; `details` go into the event about it. */
export type Sent =
  { ok: true; details: JsonObject } | { ok: false; reason: string; details: JsonObject }

type Block = Pick<BlockDocument, 'data' | 'block_type'>

const MAX_SHOWN = 1000

/**
 * Sends a notification by a block whose secrets are in the clear. Every receiver of the block is tried, and one that doesn't
 * take it makes the whole a failure, as in Prefect. At most once: it is never sent again by itself.
 */
export async function sendNotification(
  workspace: Workspace,
  block: Block,
  subject: string | null,
  body: string,
): Promise<Sent> {
  const faults: string[] = []
  try {
    for (const request of requestsOf(block, { subject, body })) {
      const fault = await deliver(request, workspace)
      if (fault !== undefined) {
        faults.push(fault)
      }
    }
  } catch (error) {
    faults.push(messageOf(error))
  }
  return faults.length === 0
    ? { ok: true, details: {} }
    : {
        ok: false,
        reason: 'Notification failed',
        details: { notification_log: cutMiddle(faults.join('\n'), MAX_SHOWN) },
      }
}

/** Calls a `webhook` block. Any answer is an answer: its status is for the reader of the event to judge. */
export async function callWebhook(
  workspace: Workspace,
  block: Block,
  payload: string,
): Promise<Sent> {
  if (block.block_type.slug !== 'webhook') {
    return { ok: false, reason: 'The referenced block was not a webhook block', details: {} }
  }
  try {
    const request = webhookRequest(block.data, payload)
    const answer = await guardedFetch(request, workspace.bindings)
    const headers = answer.headers.filter(([name]) => !isQuietHeader(name))
    return {
      ok: true,
      details: {
        status_code: answer.status,
        response_body: cutMiddle(answer.body, MAX_SHOWN),
        response_headers: Object.fromEntries(headers),
      },
    }
  } catch (error) {
    return { ok: false, reason: `Webhook call failed: ${messageOf(error)}`, details: {} }
  }
}

function requestsOf(block: Block, notification: Notification): OutgoingRequest[] {
  return notificationRequests(block.block_type.slug, block.data, notification, Date.now() * 1000)
}

async function deliver(
  request: OutgoingRequest,
  { bindings }: Workspace,
): Promise<string | undefined> {
  try {
    const { status, body } = await guardedFetch(request, bindings)
    // The address itself may be the secret.
    const host = new URL(request.url).host
    return status >= 200 && status < 300
      ? undefined
      : `${host} answered ${status}: ${cutMiddle(body, 200)}`
  } catch (error) {
    return messageOf(error)
  }
}

/** Other errors tell more than a user of the block may know. */
function messageOf(error: unknown): string {
  if (error instanceof CallFailed || error instanceof NotificationFault) {
    return error.message
  }
  throw error
}

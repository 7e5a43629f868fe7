import type { Micros } from '#core/time.ts'
import type { ActionOf } from '#core/wire/automation-action.ts'
import type { BlockDocument } from '#core/wire/block-document.ts'
import type { ResourceLabels } from '#core/wire/event.ts'
import type { ActionOutcome, TriggeredAction } from '#domain/automation-events.ts'
import { DomainError } from '#domain/errors.ts'
import type { Workspace } from '#storage/workspace.ts'
import { ActionFailed } from './action-failed.ts'
import { callWebhook, sendNotification } from './notify.ts'
import { readBlockDocument } from './read-block-document.ts'
import { renderTexts } from './render-action.ts'

/** Sends what an action has to say, by the block that it names. */
export async function sendMessage(
  workspace: Workspace,
  triggered: TriggeredAction,
  action: ActionOf<'send-notification' | 'call-webhook'>,
  outcome: ActionOutcome,
  now: Micros,
): Promise<void> {
  const block = await readBlockDocument(workspace, action.block_document_id)
  if (block === undefined) {
    throw new DomainError('not_found', 'Block document not found')
  }
  requireFitting(action, block)
  outcome.related.push(...blockResources(block))
  const sent =
    action.type === 'send-notification'
      ? await notify(workspace, triggered, action, block, now)
      : await call(workspace, triggered, action, block, now)
  Object.assign(outcome.details, sent.details)
  if (!sent.ok) {
    throw new ActionFailed(sent.reason)
  }
}

async function notify(
  workspace: Workspace,
  triggered: TriggeredAction,
  action: ActionOf<'send-notification'>,
  block: BlockDocument,
  now: Micros,
): ReturnType<typeof sendNotification> {
  const texts = [action.subject, action.body]
  const [subject = '', body = ''] = await renderTexts(workspace, triggered, texts, now)
  return await sendNotification(workspace, block, subject, body)
}

async function call(
  workspace: Workspace,
  triggered: TriggeredAction,
  action: ActionOf<'call-webhook'>,
  block: BlockDocument,
  now: Micros,
): ReturnType<typeof callWebhook> {
  const [payload = ''] = await renderTexts(workspace, triggered, [action.payload], now)
  return await callWebhook(workspace, block, payload)
}

function requireFitting(
  action: ActionOf<'send-notification' | 'call-webhook'>,
  { block_type, block_schema }: BlockDocument,
): void {
  if (action.type === 'call-webhook' && block_type.slug !== 'webhook') {
    throw new ActionFailed('The referenced block was not a webhook block')
  }
  if (action.type === 'send-notification' && !block_schema.capabilities.includes('notify')) {
    throw new ActionFailed('The referenced block was not a notification block')
  }
}

function blockResources({ id, name, block_type }: BlockDocument): ResourceLabels[] {
  return [
    {
      'prefect.resource.id': `prefect.block-document.${id}`,
      'prefect.resource.role': 'block',
      'prefect.resource.name': name,
    },
    {
      'prefect.resource.id': `prefect.block-type.${block_type.slug}`,
      'prefect.resource.role': 'block-type',
    },
  ]
}

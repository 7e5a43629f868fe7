import type { Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { TriggeredAction } from '#domain/automation-events.ts'
import { describeFault, HydrationError, upgradeTemplates } from '#domain/hydration.ts'
import { TemplateError } from '#domain/jinja/template-error.ts'
import { renderTemplate, type RenderOptions } from '#domain/jinja/template.ts'
import type { Workspace } from '#storage/workspace.ts'
import { actionContext } from './action-context.ts'
import { ActionFailed } from './action-failed.ts'
import { hydrateParameters } from './hydrate-parameters.ts'

/** The texts of an action with their templates worked out. */
export async function renderTexts(
  workspace: Workspace,
  triggered: TriggeredAction,
  texts: readonly string[],
  now: Micros,
): Promise<string[]> {
  const context = await actionContext(workspace, triggered, texts, now)
  try {
    return texts.map((text) => renderTemplate(text, context, renderOptions(workspace, now)))
  } catch (error) {
    if (error instanceof TemplateError) {
      const fault = describeFault(error)
      throw new ActionFailed(`Template rendering failed: ${fault}`, {
        template_error: `Failed to render template due to the following error: ${fault}`,
        template_source: error.source,
      })
    }
    throw error
  }
}

/** The parameters of a run that an action makes, with templates and variables in them worked out. */
export async function renderParameters(
  workspace: Workspace,
  triggered: TriggeredAction,
  parameters: JsonObject,
  now: Micros,
): Promise<JsonObject> {
  const upgraded = upgradeTemplates(parameters)
  const jinja = await actionContext(workspace, triggered, [JSON.stringify(upgraded)], now)
  try {
    return await hydrateParameters(workspace, upgraded, {
      jinja,
      options: renderOptions(workspace, now),
    })
  } catch (error) {
    if (error instanceof HydrationError) {
      throw new ActionFailed(`Unable to create flow run from deployment: ${error.message}`)
    }
    throw error
  }
}

/** Links go to the console, which is served where the API is. */
function renderOptions({ bindings }: Workspace, now: Micros): RenderOptions {
  const [host] = (bindings.HEADGATE_OWN_HOSTS ?? '').split(',')
  return { now, random: Math.random, ...(host ? { uiUrl: `https://${host}` } : {}) }
}

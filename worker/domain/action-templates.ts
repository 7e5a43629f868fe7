import type { Action } from '#core/wire/automation-action.ts'
import type { Json, JsonObject } from '#core/wire/common.ts'
import { DomainError } from './errors.ts'
import { upgradeTemplates } from './hydration.ts'
import { checkTemplate } from './jinja/template.ts'
import { explainJsonFault } from './json-fault.ts'

/** Refuses actions with templates that can't be rendered whatever they are given. */
export function refuseBadTemplates(actions: readonly Action[], field: string): void {
  for (const [index, action] of actions.entries()) {
    if (action.type === 'run-deployment' && action.parameters !== null) {
      const faults = faultsOf(upgradeTemplates(action.parameters), '')
      if (faults.length > 0) {
        throw invalid(`Invalid parameters: ${faults.join('; ')}`, [field, index, 'parameters'])
      }
    }
    for (const [name, text] of textsOf(action)) {
      const fault = checkTemplate(text)
      if (fault !== undefined) {
        throw invalid(`'${name}' is not a valid template: ${fault.message}`, [field, index, name])
      }
    }
  }
}

function textsOf(action: Action): [string, string][] {
  switch (action.type) {
    case 'send-notification':
      return [
        ['subject', action.subject],
        ['body', action.body],
      ]
    case 'call-webhook':
      return [['payload', action.payload]]
    default:
      return []
  }
}

/** The faults of all templates and JSON texts in parameters, each with where it is. */
function faultsOf(value: Json, path: string): string[] {
  if (typeof value !== 'object' || value === null) {
    return []
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => faultsOf(item, `${path}[${index}]`))
  }
  const own = faultOf(value)
  return own === undefined
    ? Object.entries(value).flatMap(([key, item]) =>
        faultsOf(item, path === '' || '__prefect_kind' in value ? path || key : `${path}.${key}`),
      )
    : [`${path}: ${own}`]
}

function faultOf(object: JsonObject): string | undefined {
  const { __prefect_kind: kind, value, template } = object
  if (kind === 'jinja' && typeof template === 'string') {
    const fault = checkTemplate(template)
    return fault && `Invalid jinja: ${fault.message}`
  }
  if (kind === 'json' && typeof value === 'string') {
    try {
      JSON.parse(value)
    } catch {
      return `Invalid JSON: ${explainJsonFault(value)}`
    }
  }
  return undefined
}

function invalid(message: string, field: (string | number)[]): DomainError {
  return new DomainError('invalid', `Value error, ${message}`, { field })
}

import type { Json, JsonObject } from '#core/wire/common.ts'
import { boundsFault } from './json-bounds.ts'
import { explainJsonFault } from './json-fault.ts'
import { DEFAULT_LIMITS, Meter } from './jinja/limits.ts'
import { quote } from './jinja/quote.ts'
import { TemplateError } from './jinja/template-error.ts'
import {
  checkTemplate,
  mayBeTemplate,
  renderTemplate,
  type RenderOptions,
} from './jinja/template.ts'

/** A value that Prefect's dialect of parameters (`__prefect_kind`) can't be made of. */
export class HydrationError extends Error {
  override readonly name = 'HydrationError'
}

export interface HydrationContext {
  /** The value of a variable of the workspace; undefined where there is none. */
  variable: (name: string) => Json | undefined
  /** What templates see. */
  jinja?: JsonObject
  options?: RenderOptions
}

/** All templates in one set of parameters together may do as much as this many alone: there's no end to how many there are. */
const TEMPLATES_AT_FULL_LENGTH = 4

/** What a set of parameters counts its templates with. */
export function newHydrationMeter(): Meter {
  return new Meter({ ...DEFAULT_LIMITS, steps: DEFAULT_LIMITS.steps * TEMPLATES_AT_FULL_LENGTH })
}

/** An object that takes its entry away with it. */
const REMOVE = Symbol('remove')

/**
 * Replaces objects with a `__prefect_kind` by what they stand for. One of kind `json` or `workspace_variable` that says
 * nothing more is removed, since the console of Prefect leaves such ones behind. Throws HydrationError.
 */
export function hydrate(value: JsonObject, context: HydrationContext): JsonObject {
  const meter = context.options?.meter ?? newHydrationMeter()
  const hydrated = hydrateValue(value, { ...context, options: { ...context.options, meter } })
  return hydrated === REMOVE ? {} : (hydrated as JsonObject)
}

/** Most parameters have nothing to replace. */
export function isHydrated(value: Json | undefined): boolean {
  if (typeof value !== 'object' || value === null) {
    return true
  }
  return Array.isArray(value)
    ? value.every(isHydrated)
    : !('__prefect_kind' in value) && Object.values(value).every(isHydrated)
}

function hydrateValue(value: Json, context: HydrationContext): Json | typeof REMOVE {
  if (Array.isArray(value)) {
    return value.map((item) => hydrateValue(item, context)).filter((item) => item !== REMOVE)
  }
  if (typeof value !== 'object' || value === null) {
    return value
  }
  if ('__prefect_kind' in value) {
    return hydrateKind(value, context)
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => {
      const hydrated = hydrateValue(item, context)
      return hydrated === REMOVE ? [] : [[key, hydrated]]
    }),
  )
}

function hydrateKind(object: JsonObject, context: HydrationContext): Json | typeof REMOVE {
  switch (object['__prefect_kind']) {
    case 'none':
      return hydrateValue(need(object, 'value'), context)
    case 'json':
      return hydrateJson(object, context)
    case 'jinja':
      return hydrateJinja(object, context)
    case 'workspace_variable':
      return hydrateVariable(object, context)
    default:
      return object['value'] ?? null
  }
}

function need(object: JsonObject, key: string): Json {
  const value = object[key]
  if (value === undefined) {
    throw new HydrationError(`Missing '${key}' key in __prefect object`)
  }
  return value
}

/** Only an object in such a place is looked into; a list is taken as it is. */
function inner(value: Json, context: HydrationContext): Json | typeof REMOVE {
  return Array.isArray(value) ? value : hydrateValue(value, context)
}

function hydrateJson(object: JsonObject, context: HydrationContext): Json | typeof REMOVE {
  if (object['value'] === undefined) {
    return REMOVE
  }
  const text = inner(object['value'], context)
  if (typeof text !== 'string') {
    return text
  }
  const parsed = parseJson(text)
  const fault = boundsFault(parsed)
  if (fault !== undefined) {
    throw new HydrationError(`Invalid JSON: ${fault}`)
  }
  return parsed
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new HydrationError(`Invalid JSON: ${explainJsonFault(text)}`)
  }
}

function hydrateJinja(object: JsonObject, context: HydrationContext): Json | typeof REMOVE {
  const template = inner(need(object, 'template'), context)
  if (template === REMOVE) {
    return REMOVE
  }
  if (typeof template !== 'string') {
    throw new HydrationError('Invalid jinja: the template is no text')
  }
  const fault = checkTemplate(template)
  if (fault !== undefined) {
    throw new HydrationError(`Invalid jinja: ${fault.message}`)
  }
  try {
    return renderTemplate(template, context.jinja ?? {}, context.options)
  } catch (error) {
    if (error instanceof TemplateError) {
      throw new HydrationError(
        `Invalid jinja: Failed to render template due to the following error: ${describeFault(error)}`,
        { cause: error },
      )
    }
    throw error
  }
}

/** As Python shows an exception. */
export function describeFault(error: TemplateError): string {
  return `${error.kind}(${quote(error.message)})`
}

function hydrateVariable(object: JsonObject, context: HydrationContext): Json | typeof REMOVE {
  if (object['variable_name'] === undefined) {
    return REMOVE
  }
  const name = inner(object['variable_name'], context)
  if (name === REMOVE) {
    return REMOVE
  }
  const value = typeof name === 'string' ? context.variable(name) : undefined
  if (value === undefined) {
    throw new HydrationError(
      `Variable '${typeof name === 'string' ? name : JSON.stringify(name)}' not found in workspace.`,
    )
  }
  return value
}

/**
 * Texts with template syntax, as parameters of automations had them before there were kinds, in the dialect: a single
 * expression keeps the type of its value.
 */
export function upgradeTemplates(parameters: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(parameters).map(([key, value]) => [key, upgradeValue(value)]),
  )
}

function upgradeValue(value: Json): Json {
  if (typeof value === 'string') {
    return upgradeText(value)
  }
  if (Array.isArray(value)) {
    // A list in a list is left as it is.
    return value.map((item) => {
      if (typeof item === 'string') {
        return upgradeText(item)
      }
      return typeof item === 'object' && item !== null && !Array.isArray(item)
        ? upgradeTemplates(item)
        : item
    })
  }
  if (typeof value === 'object' && value !== null && !('__prefect_kind' in value)) {
    return upgradeTemplates(value)
  }
  return value
}

function upgradeText(text: string): Json {
  if (!mayBeTemplate(text)) {
    return text
  }
  const stripped = text.trim()
  const isSingle =
    stripped.startsWith('{{') && stripped.endsWith('}}') && stripped.split('{{').length === 2
  if (!isSingle) {
    return { __prefect_kind: 'jinja', template: text }
  }
  return {
    __prefect_kind: 'json',
    value: {
      __prefect_kind: 'jinja',
      template: `{{ ${stripped.slice(2, -2).trim()} | tojson }}`,
    },
  }
}

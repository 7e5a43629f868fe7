import { formatTimestamp, MICROS_PER_SECOND, parseTimestamp } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { ConcurrencyKey, Deployment } from '#core/wire/deployment.ts'
import type { Flow } from '#core/wire/flow.ts'
import type { StateCreate } from '#core/wire/state.ts'
import { DomainError } from './errors.ts'
import type { Limits } from './jinja/limits.ts'
import { TemplateError } from './jinja/template-error.ts'
import { checkTemplate, renderTemplate } from './jinja/template.ts'

/** A key is a short text, made at once for each run. */
const LIMITS: Partial<Limits> = { steps: 10_000, characters: 2000, items: 1000 }

/** Longer ones are more likely a mistake than a name of something. */
const MAX_KEY = 200

/** The key of automatic runs whose template fails: they share its limit, so that none escapes it. */
const UNRENDERED_KEY = '(unrendered)'

/** What of a deployment says when its runs may start. */
export interface KeyedDeployment {
  deployment: Pick<
    Deployment,
    'id' | 'name' | 'version' | 'tags' | 'concurrency_key' | 'start_within_seconds'
  >
  flow: Flow
}

/** The run as far as it is known before it is made. */
export interface RunToKey {
  parameters: JsonObject
  tags: readonly string[]
}

/** A template that can't be rendered, whatever the run. */
export function checkKeyTemplate(key: ConcurrencyKey | null | undefined): void {
  if (key === null || key === undefined) {
    return
  }
  const fault = checkTemplate(key.template) ?? unknownName(key.template)
  if (fault !== undefined) {
    throw new DomainError(
      'invalid',
      `Value error, 'template' is not a valid template: ${fault.message}`,
      { field: ['concurrency_key', 'template'] },
    )
  }
}

/** Names of filters and tests are looked up before anything is rendered. */
function unknownName(template: string): TemplateError | undefined {
  try {
    renderTemplate(template, {}, { limits: LIMITS })
    return undefined
  } catch (error) {
    return error instanceof TemplateError && error.kind === 'TemplateAssertionError'
      ? error
      : undefined
  }
}

/** The key of one run; null where its deployment has none, or the template makes nothing. Throws TemplateError. */
function renderKey({ deployment, flow }: KeyedDeployment, run: RunToKey): string | null {
  const template = deployment.concurrency_key?.template
  if (template === undefined) {
    return null
  }
  const { id, name, version, tags } = deployment
  const context = {
    parameters: run.parameters,
    tags: [...run.tags],
    deployment: { id, name, version, tags },
    flow: { id: flow.id, name: flow.name, tags: flow.tags },
  }
  const key = renderTemplate(template, context, { limits: LIMITS }).trim()
  if (key.length > MAX_KEY) {
    throw new TemplateError(
      'TemplateRuntimeError',
      `The key has ${key.length} characters; it may have ${MAX_KEY}.`,
    )
  }
  return key === '' ? null : key
}

/** For a run that somebody asks for: a template that fails is refused. */
export function requestedKey(config: KeyedDeployment, run: RunToKey): string | null {
  try {
    return renderKey(config, run)
  } catch (error) {
    throw new DomainError('invalid', `Value error, ${describe(config, error)}`, {
      field: ['parameters'],
    })
  }
}

/** For a run that nobody asks for: one whose template fails shares a key with its like, and says so. */
export function automaticKey(
  config: KeyedDeployment,
  run: RunToKey,
): { key: string | null; message: string | null } {
  try {
    return { key: renderKey(config, run), message: null }
  } catch (error) {
    return { key: UNRENDERED_KEY, message: describe(config, error) }
  }
}

function describe({ deployment }: KeyedDeployment, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return `the concurrency key of deployment '${deployment.name}' could not be rendered: ${text}`
}

/** By when a run must have begun: as it says itself, else so long after its time as its deployment says. */
export function startBefore(
  { deployment }: Pick<KeyedDeployment, 'deployment'>,
  { start_before: own, state }: { start_before?: string | null | undefined; state: StateCreate },
  now: number,
): string | null {
  const within = deployment.start_within_seconds ?? null
  if (own || within === null || state.type !== 'SCHEDULED') {
    return own ?? null
  }
  const due = parseTimestamp(state.state_details?.scheduled_time ?? '') ?? now
  return formatTimestamp(due + within * MICROS_PER_SECOND)
}

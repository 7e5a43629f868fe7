import type { Micros } from '../../../core/time.ts'
import type { JsonObject } from '../../../core/wire/common.ts'
import { toContextValue } from './context.ts'
import { BARE_FILTERS, FILTERS } from './filters/all.ts'
import { globalFunctions } from './globals.ts'
import { DEFAULT_LIMITS, type Limits, Meter } from './limits.ts'
import { getAttribute, getItem } from './lookup.ts'
import type { Template } from './nodes.ts'
import { parseTemplate } from './parser.ts'
import { countAll, countTexts } from './reading.ts'
import { renderBody, toTemplateError } from './render.ts'
import { Scope } from './scope.ts'
import { TemplateError, typeError } from './template-error.ts'
import { TESTS } from './tests.ts'
import type { Runtime } from './value.ts'

export interface RenderOptions {
  limits?: Partial<Limits>
  /** Counts on, where several templates share what one may do. */
  meter?: Meter
  /** For filters that say how long ago something was. */
  now?: Micros
  /** For the filter `random`. */
  random?: () => number
  /** Where the console is, for links. */
  uiUrl?: string
}

/**
 * Renders a template as Prefect's sandboxed jinja2 does, by interpreting it. What is undefined is empty, and so
 * is all that is looked up in it. Throws TemplateError, and nothing else.
 */
export function renderTemplate(
  source: string,
  context: JsonObject,
  options: RenderOptions = {},
): string {
  if (!mayBeTemplate(source)) {
    return source
  }
  try {
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    const template = parseTemplate(source, limits)
    assertKnown(template)
    const runtime = newRuntime(limits, options)
    return renderBody(template.body, contextScope(context), runtime)
  } catch (error) {
    throw withSource(error, source)
  }
}

/** What is wrong with a template before it is rendered: its syntax, and the loops that Prefect allows. */
export function checkTemplate(source: string): TemplateError | undefined {
  try {
    assertLoops(parseTemplate(source))
    return undefined
  } catch (error) {
    return withSource(error, source)
  }
}

export function mayBeTemplate(text: string): boolean {
  return text.includes('{{') || text.includes('{%')
}

const MAX_LOOPS = 10
const MAX_LOOP_DEPTH = 2

function assertLoops({ loops, loopDepth }: Template): void {
  if (loops > MAX_LOOPS) {
    throw new TemplateError(
      'TemplateSecurityError',
      `Contains ${loops} for loops. Templates can contain no more than ${MAX_LOOPS} for loops.`,
    )
  }
  if (loopDepth > MAX_LOOP_DEPTH) {
    throw new TemplateError(
      'TemplateSecurityError',
      `Contains nested for loops at a depth of ${loopDepth}. Templates can nest for loops no more than ${MAX_LOOP_DEPTH} loops deep.`,
    )
  }
}

/** An unknown name is a fault before anything is rendered, unless a condition stands before it. */
function assertKnown({ filters, tests }: Template): void {
  const filter = filters.find(({ name }) => !FILTERS.has(name))
  const test = tests.find(({ name }) => !TESTS.has(name))
  const unknown = filter ?? test
  if (unknown !== undefined) {
    throw new TemplateError(
      'TemplateAssertionError',
      `No ${filter === undefined ? 'test' : 'filter'} named '${unknown.name}'.`,
      unknown.line,
    )
  }
}

function newRuntime(limits: Limits, options: RenderOptions): Runtime {
  const runtime: Runtime = {
    meter: options.meter ?? new Meter(limits),
    now: options.now,
    random: options.random,
    uiUrl: options.uiUrl,
    autoescape: false,
    getAttribute: (of, name) => getAttribute(of, name, runtime),
    getItem: (of, key) => getItem(of, key, runtime),
    filter: (name, value, args) => {
      const filter = FILTERS.get(name)
      if (filter === undefined) {
        throw new TemplateError('TemplateRuntimeError', `No filter named '${name}' found.`)
      }
      if (BARE_FILTERS.has(name) && args.positional.length + args.named.size > 0) {
        throw typeError(`the filter '${name}' takes no arguments`)
      }
      runtime.meter.step()
      countTexts([value, ...args.positional, ...args.named.values()], runtime)
      return filter(value, args, runtime)
    },
    test: (name, value, args) => {
      const test = TESTS.get(name)
      if (test === undefined) {
        throw new TemplateError('TemplateRuntimeError', `No test named '${name}' found.`)
      }
      runtime.meter.step()
      const given = [...args.positional, ...args.named.values()]
      countAll(given.length === 0 ? [] : [value, ...given], runtime)
      countTexts([value], runtime)
      return test(value, given, runtime)
    },
  }
  return runtime
}

function contextScope(context: JsonObject): Scope {
  const globals = new Scope()
  for (const [name, value] of globalFunctions()) {
    globals.set(name, value)
  }
  const scope = new Scope(globals)
  for (const [name, value] of Object.entries(context)) {
    scope.set(name, toContextValue(name, value))
  }
  // What the template sets doesn't hide the context's own from a scope around it.
  return new Scope(scope)
}

function withSource(error: unknown, source: string): TemplateError {
  const fault = toTemplateError(error)
  return new TemplateError(fault.kind, fault.message, fault.line, source)
}

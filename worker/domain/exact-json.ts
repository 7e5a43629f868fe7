import type { Json, JsonObject } from '../../core/wire/common.ts'

/**
 * Parses JSON so that `JSON.stringify` writes its numbers as they came: `1.0` stays `1.0`, as it does in Python, and a large
 * integer keeps its digits. A number that JavaScript would write otherwise becomes an opaque object, which `isObject` knows.
 */
export function parseExactly(text: string): Json {
  return raw.parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined && String(value) !== context.source
      ? raw.rawJSON(context.source)
      : value,
  ) as Json
}

/** An object with keys, and no number that is kept as it came. */
export function isObject(value: Json | undefined): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !raw.isRawJSON(value)
  )
}

/** A number's text, of those that are kept as they came too. */
export function numberText(value: Json): string | undefined {
  if (typeof value === 'number') {
    return String(value)
  }
  return raw.isRawJSON(value) ? value.rawJSON : undefined
}

interface RawJson {
  readonly rawJSON: string
}

/** What engines have of the proposal "JSON.parse source text access", and TypeScript does not yet know. */
const raw = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): RawJson
  isRawJSON(value: unknown): value is RawJson
}

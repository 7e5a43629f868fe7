import type { Json } from '#core/wire/common.ts'
import type { VariableUpdate } from '#core/wire/variable.ts'
import { DomainError } from './errors.ts'
import { textBytes } from './json-size.ts'
import { hasHugeInteger, memberText } from './json-text.ts'
import type { ObjectEvent } from './object-event.ts'

/** As in Prefect: bytes of the value's JSON without spaces. Null is never too long. */
const MAX_VALUE_BYTES = 5000

/** The columns that a request names; the value is taken from the request's text, so that it keeps its form. */
export function variableFields(
  body: VariableUpdate,
  bodyText: string,
): { name?: string; value?: string; tags?: string[] } {
  const { name, tags } = body
  if (name === null || tags === null) {
    throw new DomainError('conflict', 'Data integrity conflict: a variable has a name and tags.')
  }
  const value = memberText(bodyText, 'value')
  if (value !== undefined) {
    checkValue(value)
  }
  return {
    ...(name === undefined ? {} : { name }),
    ...(tags === undefined ? {} : { tags }),
    ...(value === undefined ? {} : { value }),
  }
}

function checkValue(value: string): void {
  if (textBytes(value) > MAX_VALUE_BYTES) {
    throw new DomainError(
      'invalid',
      `Value error, Variable value must be less than ${MAX_VALUE_BYTES} characters`,
      { field: ['value'] },
    )
  }
  if (hasHugeInteger(value)) {
    throw new DomainError(
      'invalid',
      'Value error, Variable value must be serializable to JSON: its integers may have 64 bits',
      { field: ['value'] },
    )
  }
}

export function variableEvent(
  verb: 'created' | 'updated' | 'deleted',
  variable: { id: string; name: string; value: string; tags: string[] },
): ObjectEvent {
  const { id, name, tags } = variable
  const value = JSON.parse(variable.value) as Json
  return { kind: 'variable', verb, id, name, payload: { name, value, tags } }
}

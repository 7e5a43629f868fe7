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
): { name?: string; value?: string; tags?: string[]; secret?: boolean } {
  const { name, tags, secret } = body
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
    ...(typeof secret === 'boolean' ? { secret } : {}),
  }
}

/** Stands for the value of a secret variable, as JSON. */
export const MASKED_VALUE = '"********"'

/** A variable as it is kept: `value` is sealed where it is secret. */
interface Kept {
  value: string
  secret: boolean | null
}

/**
 * What an update makes of a variable's value: nothing, a plain text, or a text that is to be sealed.
 * @throws DomainError `invalid` where a secret value would be laid open
 */
export function valueAfter(
  before: Kept,
  { value, secret }: { value?: string; secret?: boolean },
): { value: string; secret: boolean } | 'as it was' | 'sealed' {
  const [was, is] = [before.secret === true, secret ?? before.secret === true]
  const isNew = value !== undefined && !(was && value === MASKED_VALUE)
  if (isNew) {
    return { value, secret: is }
  }
  if (was && !is) {
    throw new DomainError(
      'invalid',
      'A secret variable becomes a plain one with a new value only: send that as well.',
      { field: ['value'] },
    )
  }
  return was === is ? 'as it was' : 'sealed'
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

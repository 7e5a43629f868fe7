import { MAX_PARAMETERS_BYTES, type Json } from '#core/wire/common.ts'
import type { StateCreate } from '#core/wire/state.ts'
import { DomainError } from './errors.ts'

/** The bytes of a value as JSON in UTF-8, or a few more: the halves of a surrogate pair are counted as three each. */
export function jsonBytes(value: unknown): number {
  return textBytes(JSON.stringify(value))
}

export function textBytes(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    bytes += code > 0x7ff ? 2 : code > 0x7f ? 1 : 0
  }
  return bytes
}

/**
 * Refuses a value that would not fit into the row of its run or deployment: a row of D1 has 2 MB at most, and several such
 * values share it.
 * @param field where the value stands in the request's body
 */
export function checkJsonSize(
  value: Json | undefined,
  field: readonly [string, ...string[]],
): void {
  if (value === undefined || value === null) {
    return
  }
  const bytes = jsonBytes(value)
  if (bytes > MAX_PARAMETERS_BYTES) {
    throw new DomainError(
      'invalid',
      `${field.join('.')} may have ${MAX_PARAMETERS_BYTES} bytes of JSON at most, this has ${bytes}.`,
      { field },
    )
  }
}

/** The same for what a proposed state carries; its message is cut where it is written. */
export function checkStateSize(
  state: StateCreate | null | undefined,
  field: readonly [string, ...string[]],
): void {
  checkJsonSize(state?.data, [...field, 'data'])
  checkJsonSize(state?.state_details as Json | undefined, [...field, 'state_details'])
}

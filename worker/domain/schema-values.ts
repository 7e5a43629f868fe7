import type { Issue } from '#core/json-schema.ts'
import type { ValueError } from '#core/wire/ui.ts'

/** What is wrong with values, in the form of the values. */
export function toValueErrors(issues: readonly Issue[]): ValueError[] {
  const errors: ValueError[] = []
  for (const { path, message } of issues) {
    let within = errors
    for (const key of path) {
      within = errorsWithin(within, key)
    }
    within.push(message)
  }
  return errors
}

function errorsWithin(errors: ValueError[], key: string | number): ValueError[] {
  const known = errors.find(
    (error) =>
      typeof error !== 'string' && ('property' in error ? error.property : error.index) === key,
  )
  if (known !== undefined && typeof known !== 'string') {
    return known.errors
  }
  const made: ValueError[] = []
  errors.push(
    typeof key === 'number' ? { index: key, errors: made } : { property: key, errors: made },
  )
  return made
}

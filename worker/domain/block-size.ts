import { DomainError } from './errors.ts'
import { textBytes } from './json-size.ts'

/** A row of D1 has 2 MB at most, and sealed data is a third longer than what is sealed. */
const MAX_BYTES = 1_000_000

/** Refuses what would not fit into its row: a schema's fields or a document's data, as JSON. */
export function checkBlockSize(json: string, field: 'fields' | 'data'): void {
  const bytes = textBytes(json)
  if (bytes > MAX_BYTES) {
    throw new DomainError(
      'invalid',
      `A block's ${field} may have ${MAX_BYTES} bytes of JSON at most, this has ${bytes}.`,
      { field: [field] },
    )
  }
}

import * as z from 'zod'
import { DomainError } from '#domain/errors.ts'
import type { Place } from '#storage/export-tables.ts'
import { EXPORT_PARTS } from './export-workspace.ts'

/** Where an export goes on. */
export interface ExportPosition {
  /** The number of the kind. */
  part: number
  after: Place | null
}

const cursor = z.tuple([z.string(), z.array(z.union([z.string(), z.int()])).nullable()])

/** As text that says nothing to its reader. */
export function formatExportCursor({ part, after }: ExportPosition): string {
  const bytes = new TextEncoder().encode(JSON.stringify([EXPORT_PARTS[part]?.kind, after]))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** @throws DomainError `invalid` for a text that is no cursor */
export function parseExportCursor(text: string | undefined): ExportPosition {
  if (text === undefined) {
    return { part: 0, after: null }
  }
  const [kind, after] = read(text) ?? []
  const part = EXPORT_PARTS.findIndex((one) => one.kind === kind)
  const places = EXPORT_PARTS[part]?.places
  if (after === undefined || places === undefined || (after !== null && after.length !== places)) {
    throw new DomainError('bad_request', 'cursor must be one that an export has told')
  }
  return { part, after }
}

function read(text: string): z.infer<typeof cursor> | undefined {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0))
    return cursor.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data
  } catch {
    return undefined
  }
}

import * as z from 'zod'
import { DomainError } from '#domain/errors.ts'
import type { Position } from '#storage/flow-runs.ts'

const shape = z.tuple([z.string(), z.string(), z.string()])

/** Where the page ended, with the sort that the place means something in. Opaque to clients. */
export function toCursor(sort: string, position: Position): string {
  return btoa(encodeURIComponent(JSON.stringify([sort, position.key, position.id])))
}

export function parseCursor(sort: string, cursor: string | null | undefined): Position | undefined {
  if (cursor === null || cursor === undefined) {
    return undefined
  }
  const parsed = shape.safeParse(decode(cursor))
  if (!parsed.success || parsed.data[0] !== sort) {
    throw new DomainError('invalid', 'The cursor is not one of a page with this sort.', {
      field: ['cursor'],
    })
  }
  const [, key, id] = parsed.data
  return { key, id }
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(decodeURIComponent(atob(cursor)))
  } catch {
    // Not written by `toCursor`; the caller refuses it.
    return undefined
  }
}

import type { BlockType, BlockTypeUpdate } from '../../core/wire/block-type.ts'
import type { ObjectEvent } from './object-event.ts'

const PRESENTATION = ['logo_url', 'documentation_url', 'description', 'code_example'] as const

/** As Prefect keeps the texts of a new type, for pages that show them as they are. */
export function escapedForHtml(text: string | null): string | null {
  return text?.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') ?? null
}

/**
 * The type with what the update names; undefined when that changes nothing, which Prefect's client often asks for. A text with
 * its `<` written as `&lt;` is the same text.
 */
export function updatedBlockType(type: BlockType, update: BlockTypeUpdate): BlockType | undefined {
  const changed = PRESENTATION.filter(
    (field) => update[field] !== undefined && unescaped(update[field]) !== unescaped(type[field]),
  )
  return changed.length === 0
    ? undefined
    : { ...type, ...Object.fromEntries(changed.map((field) => [field, update[field] ?? null])) }
}

export function blockTypeEvent(
  verb: 'created' | 'updated' | 'deleted',
  type: BlockType,
): ObjectEvent {
  const { id, created: _created, updated: _updated, ...payload } = type
  return { kind: 'block-type', verb, id, name: type.name, payload }
}

function unescaped(text: string | null): string | null {
  return text?.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&') ?? null
}

import { toText } from './text.ts'
import { EnumMember, Markup, type Runtime, type Value } from './value.ts'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '>': '&gt;',
  '<': '&lt;',
  "'": '&#39;',
  '"': '&#34;',
}

/** The text of a value, safe in HTML; one that is HTML already stays as it is. */
export function escapeHtml(value: Value, runtime: Runtime): string {
  return value instanceof Markup && !(value instanceof EnumMember)
    ? value.content
    : escapeText(toText(value, runtime))
}

export function escapeText(text: string): string {
  return text.replace(/[&><'"]/g, (character) => ENTITIES[character] ?? character)
}

import type { Json, JsonObject } from '#core/wire/common.ts'
import { NotificationFault } from './outgoing.ts'

export function needText(data: JsonObject, field: string): string {
  const value = data[field]
  if (typeof value !== 'string' || value === '') {
    throw new NotificationFault(`The block has no ${field}.`)
  }
  return value
}

export function maybeText(data: JsonObject, field: string): string | undefined {
  const value = data[field]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function flag(data: JsonObject, field: string, otherwise: boolean): boolean {
  const value = data[field]
  return typeof value === 'boolean' ? value : otherwise
}

export function texts(data: JsonObject, field: string): string[] {
  const value = data[field]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** Names with their texts; undefined where there are none. */
export function textMap(value: Json | undefined): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return undefined
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      typeof item === 'string' ? item : JSON.stringify(item),
    ]),
  )
}

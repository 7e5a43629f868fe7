const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/**
 * Makes a UUIDv7 (RFC 9562) of a time and random bytes, both given, so that the function stays pure.
 * @param timeMs integer milliseconds since the epoch
 * @param random 10 random bytes
 */
export function uuidV7(timeMs: number, random: Uint8Array): string {
  const bytes = [...random].slice(0, 10).map((byte) => byte.toString(16).padStart(2, '0'))
  if (bytes.length < 10) {
    throw new RangeError(`uuidV7 needs 10 random bytes, got ${bytes.length}`)
  }
  const time = timeMs.toString(16).padStart(12, '0')
  const hex = bytes.join('')
  const variant = ((Number.parseInt(hex.slice(3, 5), 16) & 0x3f) | 0x80).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(5, 7)}-${hex.slice(7, 19).padEnd(12, '0')}`
}

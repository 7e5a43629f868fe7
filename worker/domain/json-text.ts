/** A string, a bracket, a comma or colon, or a number or word. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g

/**
 * The text of one member of a JSON object, without spaces: what parsing loses (`1.0`, large integers, the order of keys that
 * are numbers) is still there. Of several members of that name it is the last one, as parsers take it.
 * @param text valid JSON
 */
export function memberText(text: string, name: string): string | undefined {
  let depth = 0
  let key: unknown
  let parts: string[] | undefined
  let found: string | undefined
  for (const [token] of text.matchAll(TOKEN)) {
    depth -= token === '}' || token === ']' ? 1 : 0
    if (depth === 0 || (depth === 1 && token === ',')) {
      found = key === name ? parts?.join('') : found
      key = undefined
      parts = undefined
    } else if (key === undefined) {
      key = JSON.parse(token)
    } else if (parts === undefined) {
      // The colon.
      parts = []
    } else {
      parts.push(token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token)
    }
    depth += token === '{' || token === '[' ? 1 : 0
  }
  return found
}

/** Python's serialisers refuse whole numbers of more than 64 bits. */
export function hasHugeInteger(text: string): boolean {
  return [...text.matchAll(TOKEN)].some(
    ([token]) =>
      /^-?\d{19,}$/.test(token) && (BigInt(token) > MAX_INTEGER || BigInt(token) < MIN_INTEGER),
  )
}

const MAX_INTEGER = 2n ** 64n - 1n
const MIN_INTEGER = -(2n ** 63n)

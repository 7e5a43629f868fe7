/** The longest line that is sent as one; a longer one is cut. In bytes. */
export const MAX_LINE_BYTES = 16_384

export interface SplitLines {
  lines: string[]
  /** How many of the bytes the lines are made of; the rest is the beginning of a line. */
  consumed: number
}

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Splits output into lines, each decoded by itself as UTF-8 with U+FFFD for what is no UTF-8.
 * @param atEnd no more bytes will follow: what is left without a newline is a line as well
 */
export function splitLines(bytes: Uint8Array, atEnd: boolean, maxLines: number): SplitLines {
  const decoder = new TextDecoder()
  const lines: string[] = []
  let from = 0
  while (from < bytes.length && lines.length < maxLines) {
    const newline = bytes.indexOf(NEWLINE, from)
    const lineEnd = newline === -1 ? bytes.length : newline
    if (lineEnd - from > MAX_LINE_BYTES) {
      const cut = characterStart(bytes, from + MAX_LINE_BYTES, from)
      lines.push(decoder.decode(bytes.subarray(from, cut)))
      from = cut
    } else if (newline === -1 && !atEnd) {
      break
    } else {
      const end = bytes[lineEnd - 1] === CARRIAGE_RETURN && lineEnd > from ? lineEnd - 1 : lineEnd
      lines.push(decoder.decode(bytes.subarray(from, end)))
      from = newline === -1 ? bytes.length : newline + 1
    }
  }
  return { lines, consumed: from }
}

/** The last place at or before `index`, at most three bytes back, where a UTF-8 character begins. */
function characterStart(bytes: Uint8Array, index: number, from: number): number {
  for (let start = index; start > index - 4 && start > from; start -= 1) {
    if (((bytes[start] ?? 0) & 0xc0) !== 0x80) {
      return start
    }
  }
  return index
}

import { valueError } from '../template-error.ts'
import { characters } from '../characters.ts'

interface WrapOptions {
  width: number
  breakLongWords: boolean
  breakOnHyphens: boolean
}

/** One paragraph in lines of at most `width`, as Python's textwrap does it. */
export function wrapText(text: string, options: WrapOptions): string[] {
  if (options.width <= 0) {
    throw valueError(`invalid width ${options.width} (must be > 0)`)
  }
  const chunks = split(text, options.breakOnHyphens).toReversed()
  const lines: string[] = []
  while (chunks.length > 0) {
    if (isBlank(chunks.at(-1)) && lines.length > 0) {
      chunks.pop()
    }
    const line: string[] = []
    let length = 0
    for (let next = chunks.at(-1); next !== undefined; next = chunks.at(-1)) {
      const size = characters(next).length
      if (length + size > options.width) {
        break
      }
      line.push(next)
      chunks.pop()
      length += size
    }
    breakLong(chunks, line, options, length)
    if (isBlank(line.at(-1))) {
      line.pop()
    }
    if (line.length > 0) {
      lines.push(line.join(''))
    }
  }
  return lines
}

function isBlank(chunk: string | undefined): boolean {
  return chunk !== undefined && chunk.trim() === ''
}

function breakLong(
  chunks: string[],
  line: string[],
  { width, breakLongWords, breakOnHyphens }: WrapOptions,
  length: number,
): void {
  const last = chunks.at(-1)
  if (last === undefined || characters(last).length <= width) {
    return
  }
  const space = width - length
  if (!breakLongWords) {
    if (line.length === 0) {
      line.push(last)
      chunks.pop()
    }
    return
  }
  const letters = characters(last)
  let end = space
  if (breakOnHyphens && letters.length > space) {
    const hyphen = letters.lastIndexOf('-', space - 1)
    if (hyphen > 0 && letters.slice(0, hyphen).some((letter) => letter !== '-')) {
      end = hyphen + 1
    }
  }
  line.push(letters.slice(0, end).join(''))
  chunks[chunks.length - 1] = letters.slice(end).join('')
}

/** Words and spaces; a word is cut behind the hyphens inside it. */
function split(text: string, onHyphens: boolean): string[] {
  const parts = text.split(/(\s+)/).filter((part) => part !== '')
  return onHyphens ? parts.flatMap(splitAtHyphens) : parts
}

function splitAtHyphens(word: string): string[] {
  return word
    .split(
      /(?<=[\p{L}\p{N}_!"'&.,?][^\s\-\d]?[\p{L}_]-)(?=[\p{L}_])|(?<=[^\d\s-]{2}-)(?=[\p{L}_]{2})|(?<=[\p{L}\p{N}_!"'&.,?])(?=-{2,}\w)|(?<=-{2})(?=[\p{L}\p{N}_])/u,
    )
    .filter((part) => part !== '')
}

import { valueError } from './template-error.ts'
import { characters } from './characters.ts'

// oxlint-disable-next-line no-control-regex -- Python's spaces have four control characters more
const SPACE = /[\s\u001c-\u001f\u0085]/
// oxlint-disable-next-line no-control-regex -- the same
const WORD = /[^\s\u001c-\u001f\u0085]+/g

export function trimSpace(text: string, start = true, end = true): string {
  return ends(text.split(''), (unit) => SPACE.test(unit), start, end)
}

/** Without all of the given characters at its ends. */
export function stripText(text: string, chars: string, start: boolean, end: boolean): string {
  const set = new Set(characters(chars))
  return ends(characters(text), (letter) => set.has(letter), start, end)
}

function ends(
  letters: readonly string[],
  goes: (letter: string) => boolean,
  start: boolean,
  end: boolean,
): string {
  const first = start ? letters.findIndex((letter) => !goes(letter)) : 0
  const last = end ? letters.findLastIndex((letter) => !goes(letter)) : letters.length - 1
  return first === -1 ? '' : letters.slice(first, last + 1).join('')
}

/** Python's split and rsplit; without a separator at any run of space. */
export function splitText(
  text: string,
  separator: string | undefined,
  most: number,
  fromEnd: boolean,
): string[] {
  if (separator === '') {
    throw valueError('empty separator')
  }
  const parts =
    separator === undefined
      ? splitAtSpace(text, most, fromEnd)
      : splitAtSeparator(text, separator, most, fromEnd)
  return parts
}

function splitAtSeparator(
  text: string,
  separator: string,
  most: number,
  fromEnd: boolean,
): string[] {
  const parts = text.split(separator)
  if (most < 0 || parts.length - 1 <= most) {
    return parts
  }
  const cut = parts.length - most
  return fromEnd
    ? [parts.slice(0, cut).join(separator), ...parts.slice(cut)]
    : [...parts.slice(0, most), parts.slice(most).join(separator)]
}

function splitAtSpace(text: string, most: number, fromEnd: boolean): string[] {
  const words = [...trimSpace(text).matchAll(WORD)]
  if (most < 0 || words.length - 1 <= most) {
    return words.map((word) => word[0])
  }
  const trimmed = trimSpace(text)
  if (fromEnd) {
    const kept = words.slice(words.length - most)
    const [first] = kept
    const rest = first === undefined ? text : trimmed.slice(0, first.index)
    return [trimSpace(rest, false, true), ...kept.map((word) => word[0])]
  }
  const next = words[most]
  const whole = trimSpace(text, true, false)
  const rest = next === undefined ? '' : whole.slice(next.index)
  return [...words.slice(0, most).map((word) => word[0]), rest]
}

// oxlint-disable-next-line no-control-regex -- three of them end a line
const LINE_ENDS = /\r\n|[\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029]/g

export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = []
  let from = 0
  for (const end of text.matchAll(LINE_ENDS)) {
    lines.push(text.slice(from, keepEnds ? end.index + end[0].length : end.index))
    from = end.index + end[0].length
  }
  return from < text.length ? [...lines, text.slice(from)] : lines
}

import { syntaxError } from './template-error.ts'

const ESCAPE = /\\(?:([0-7]{1,3})|x([\da-fA-F]{0,2})|u([\da-fA-F]{0,4})|U([\da-fA-F]{0,8})|([^]))/gu

const SIMPLE: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** What a text between quotes means, by Python's rules. */
export function unescapeString(text: string, line: number): string {
  return text.replace(ESCAPE, (whole, ...groups: (string | undefined)[]) => {
    const [octal, x, u, wide, other] = groups
    if (octal !== undefined) {
      return String.fromCodePoint(Number.parseInt(octal, 8))
    }
    for (const [digits, count, form] of [
      [x, 2, '\\xXX'],
      [u, 4, '\\uXXXX'],
      [wide, 8, '\\UXXXXXXXX'],
    ] as const) {
      if (digits !== undefined) {
        return fromHex(digits, count, form, line)
      }
    }
    return other === undefined ? whole : (SIMPLE[other] ?? whole)
  })
}

function fromHex(digits: string, count: number, form: string, line: number): string {
  if (digits.length < count) {
    throw syntaxError(`truncated ${form} escape`, line)
  }
  const code = Number.parseInt(digits, 16)
  if (code > 0x10ffff) {
    throw syntaxError('illegal Unicode character', line)
  }
  return String.fromCodePoint(code)
}

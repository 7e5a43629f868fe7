import { characters } from './characters.ts'
import { trimSpace } from './string-split.ts'

const KINDS: Readonly<Partial<Record<string, (text: string) => boolean>>> = {
  isalpha: (text) => /^\p{L}+$/u.test(text),
  isalnum: (text) => /^[\p{L}\p{N}]+$/u.test(text),
  isdigit: (text) => /^[\p{Nd}¹²³⁰-⁹₀-₉]+$/u.test(text),
  isdecimal: (text) => /^\p{Nd}+$/u.test(text),
  isnumeric: (text) => /^\p{N}+$/u.test(text),
  isspace: (text) => text !== '' && trimSpace(text) === '',
  isascii: (text) => !/\P{ASCII}/u.test(text),
  isidentifier: (text) => /^[\p{L}_][\p{L}\p{N}\p{M}_]*$/u.test(text),
  isprintable: (text) => !/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(text),
  islower: (text) => /\p{Ll}/u.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text),
  isupper: (text) => /\p{Lu}/u.test(text) && !/[\p{Ll}\p{Lt}]/u.test(text),
  istitle: (text) => /\p{Lu}/u.test(text) && casing(text, 'title') === text,
}

export function isKind(name: string): boolean {
  return KINDS[name] !== undefined
}

export function casing(text: string, how: 'capitalize' | 'title' | 'swapcase'): string
export function casing(text: string, how: string): string | boolean
export function casing(text: string, how: string): string | boolean {
  const letters = characters(text)
  switch (how) {
    case 'capitalize':
      return upperFirst(letters.shift() ?? '') + letters.join('').toLowerCase()
    case 'title':
      return text.replace(
        /[\p{L}\p{M}]+/gu,
        (word) =>
          upperFirst(characters(word)[0] ?? '') + characters(word).slice(1).join('').toLowerCase(),
      )
    case 'swapcase':
      return letters
        .map((letter) =>
          letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase(),
        )
        .join('')
    default:
      return KINDS[how]?.(text) ?? false
  }
}

function upperFirst(letter: string): string {
  const upper = letter.toUpperCase()
  return upper.length > letter.length ? upper.charAt(0) + upper.slice(1).toLowerCase() : upper
}

export function isLower(text: string): boolean {
  return KINDS['islower']?.(text) ?? false
}

export function isUpper(text: string): boolean {
  return KINDS['isupper']?.(text) ?? false
}

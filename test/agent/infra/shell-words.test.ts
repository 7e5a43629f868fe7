import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitShellWords } from '../../../agent/infra/shell-words.ts'

test.each([
  ['', []],
  ['  a   b\tc\n', ['a', 'b', 'c']],
  [`python -m "my module" 'it is'`, ['python', '-m', 'my module', 'it is']],
  [`a"b"'c'd ""`, ['abcd', '']],
  [String.raw`a\ b "c\"d\$e\f" 'g\h'`, ['a b', String.raw`c"d$e\f`, String.raw`g\h`]],
  ['$HOME `id` *', ['$HOME', '`id`', '*']],
])('splits %j', (text, words) => {
  expect(splitShellWords(text)).toEqual(words)
})

test.each([
  ['"a', 'a " is not closed'],
  [`it's`, "a ' is not closed"],
  ['a\\', 'a backslash ends'],
])('refuses %j', (text, words) => {
  expect(() => splitShellWords(text)).toThrow(words)
})

test('splits as a shell does', () => {
  const piece = fc.constantFrom('a', 'b', ' ', '"', "'", '\\', '\t', 'é')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      expect(tryOr(() => splitShellWords(text))).toEqual(tryOr(() => splitByShell(text)))
    }),
    { numRuns: 150 },
  )
})

function tryOr(split: () => string[]): string[] | 'refused' {
  try {
    return split()
  } catch {
    return 'refused'
  }
}

function splitByShell(text: string): string[] {
  // A backslash that ends the text is literal to the shell, and most likely a mistake.
  if (/(^|[^\\])(\\\\)*\\$/.test(text) && !text.includes("'")) {
    throw new Error('refused')
  }
  const script = `set -- ${text}\nfor word; do printf '%s\\0' "$word"; done`
  const words = execFileSync('sh', ['-f', '-c', script], { encoding: 'utf8', stdio: 'pipe' })
  return words.split('\0').slice(0, -1)
}

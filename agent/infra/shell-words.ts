/**
 * Splits a command line into words as a POSIX shell would, without expanding anything.
 * @throws Error when a quote is not closed or a backslash ends the text
 */
export function splitShellWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: '"' | "'" | undefined
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index)
    if (quote === "'") {
      if (character === "'") {
        quote = undefined
      } else {
        word = (word ?? '') + character
      }
    } else if (character === '\\') {
      index += 1
      if (index >= text.length) {
        throw new Error('a backslash ends the command')
      }
      word = (word ?? '') + unescape(text.charAt(index), quote)
    } else if (quote === '"') {
      if (character === '"') {
        quote = undefined
      } else {
        word = (word ?? '') + character
      }
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) {
        words.push(word)
      }
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== undefined) {
    throw new Error(`a ${quote} is not closed`)
  }
  return word === undefined ? words : [...words, word]
}

/** A backslash and a newline vanish; between double quotes a backslash only quotes `$`, a backtick, `"` and itself. */
function unescape(character: string, quote: '"' | undefined): string {
  if (character === '\n') {
    return ''
  }
  return quote === undefined || '$`"\\'.includes(character) ? character : `\\${character}`
}

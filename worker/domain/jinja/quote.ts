/** A text as Python's repr shows it. */
export function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'"
  let quoted = mark
  for (const character of text) {
    quoted += character === mark || character === '\\' ? `\\${character}` : escaped(character)
  }
  return quoted + mark
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escaped(character: string): string {
  const named = NAMED[character]
  if (named !== undefined) {
    return named
  }
  if (character === ' ' || !/[\p{C}\p{Z}]/u.test(character)) {
    return character
  }
  const code = character.codePointAt(0) ?? 0
  if (code < 0x100) {
    return `\\x${code.toString(16).padStart(2, '0')}`
  }
  return code < 0x10000
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\U${code.toString(16).padStart(8, '0')}`
}

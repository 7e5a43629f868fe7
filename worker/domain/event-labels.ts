import type { ResourceSpecification } from '#core/wire/event-filter.ts'
import type { ResourceLabels } from '#core/wire/event.ts'

/** Whether a resource has all labels that are asked for, each with one of its values. An empty specification asks for nothing. */
export function matchesLabels(
  specification: ResourceSpecification,
  labels: ResourceLabels,
): boolean {
  return Object.entries(specification).every(([label, expected]) => {
    const value = labels[label]
    const patterns = typeof expected === 'string' ? [expected] : expected
    return patterns.some((pattern) => matchesLabel(pattern, value))
  })
}

/** Whether a label's value fits a pattern; one that starts with `!` is negated. A label that is absent fits none. */
export function matchesLabel(pattern: string, value: string | undefined): boolean {
  if (value === undefined) {
    return false
  }
  return pattern.startsWith('!')
    ? !matchesGlob(pattern.slice(1), value)
    : matchesGlob(pattern, value)
}

/** A part of a pattern: any text, any one character, this character, or one of a set. */
type Part = '*' | '?' | { character: string } | { set: [from: string, to: string][]; not: boolean }

/**
 * Whether the whole text fits the pattern: `*`, `?`, `[a-z]`, `[!a-z]`, with regard to case. Takes at most pattern times text
 * steps, whatever the pattern is.
 */
function matchesGlob(pattern: string, text: string): boolean {
  if (!/[*?[]/.test(pattern)) {
    return pattern === text
  }
  const parts = readParts(Array.from(pattern))
  const characters = Array.from(text)
  let [part, character] = [0, 0]
  // Where the last `*` stands, and how far it reaches so far.
  let star: { part: number; character: number } | undefined
  while (character < characters.length) {
    const next = parts[part]
    if (next === '*') {
      star = { part, character }
      part += 1
    } else if (next !== undefined && fits(next, characters[character] ?? '')) {
      part += 1
      character += 1
    } else if (star !== undefined) {
      star.character += 1
      part = star.part + 1
      character = star.character
    } else {
      return false
    }
  }
  return parts.slice(part).every((rest) => rest === '*')
}

function fits(part: Part, character: string): boolean {
  if (part === '?' || part === '*') {
    return true
  }
  return 'character' in part
    ? part.character === character
    : part.set.some(([from, to]) => from <= character && character <= to) !== part.not
}

function readParts(pattern: string[]): Part[] {
  const parts: Part[] = []
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index] ?? ''
    const end = character === '[' ? endOfSet(pattern, index) : -1
    if (character === '*' || character === '?') {
      parts.push(character)
    } else if (end < 0) {
      parts.push({ character })
    } else {
      parts.push(readSet(pattern.slice(index + 1, end)))
      index = end
    }
  }
  return parts
}

/** Where a set closes; a bracket right at its beginning belongs to it. Under 0: it never does, and is no set. */
function endOfSet(pattern: string[], start: number): number {
  const first = pattern[start + 1] === '!' ? start + 2 : start + 1
  return pattern.indexOf(']', first + 1)
}

function readSet(content: string[]): Part {
  const not = content[0] === '!'
  const members = not ? content.slice(1) : content
  const set: [string, string][] = []
  for (let index = 0; index < members.length; index += 1) {
    const from = members[index] ?? ''
    const to = members[index + 2]
    if (members[index + 1] === '-' && to !== undefined) {
      set.push([from, to])
      index += 2
    } else {
      set.push([from, from])
    }
  }
  return { set, not }
}

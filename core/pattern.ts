import { RE2JS } from 're2js'

/** Longer expressions, and ones that grow longer than this when their repetitions are written out, are not read. */
const MAX_SOURCE = 2_000
const MAX_PROGRAM = 5_000

/** What an automaton takes, in looks at a subschema (some microseconds each): to be made, and for each letter. */
const COST_TO_MAKE = 150
const WORK_A_STEP = 128

/** A deployment's few expressions judge many runs, and one takes up to some milliseconds to be made. */
const KEPT = 200
const kept = new Map<string, Pattern | undefined>()

/** Which texts a user's regular expression fits. */
export interface Pattern {
  fits: (text: string) => boolean
  /** What to judge a text of that length costs, in looks at a subschema. */
  cost: (length: number) => number
}

/** What reading an expression costs, in looks at a subschema. */
export function readingCost(source: string): number {
  return COST_TO_MAKE + Math.min(source.length, MAX_SOURCE)
}

/**
 * A user's regular expression as RE2 reads it: an automaton, whose time grows with the text and not with what the expression
 * makes of it, where the engine's own expressions go back and try again, for as long as their author likes. The language is
 * the one that pydantic means by `pattern` too (Rust's engine is of the same family), so that what flows declare is read;
 * Python's and JavaScript's ways to write a name, an end and a letter's number are taken.
 * @returns undefined for one that can't be read so (it looks around or back, or is too long): that one is not judged here,
 * and the flow checks its parameters itself
 */
export function readPattern(source: string): Pattern | undefined {
  if (kept.has(source)) {
    return kept.get(source)
  }
  if (source.length > MAX_SOURCE) {
    return undefined
  }
  const pattern = makePattern(source)
  const [oldest] = kept.keys()
  if (kept.size >= KEPT && oldest !== undefined) {
    kept.delete(oldest)
  }
  kept.set(source, pattern)
  return pattern
}

function makePattern(source: string): Pattern | undefined {
  try {
    const program = RE2JS.compile(RE2JS.translateRegExp(source.replaceAll('\\Z', '\\z')))
    const size = program.programSize()
    return size > MAX_PROGRAM
      ? undefined
      : {
          fits: (text) => program.matcher(text).find(),
          cost: (length) => Math.ceil((length * size) / WORK_A_STEP),
        }
  } catch {
    return undefined
  }
}

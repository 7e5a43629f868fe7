/** As deep as the reader of pydantic goes. What walks through values later calls itself for each level, and stacks are short. */
export const MAX_JSON_DEPTH = 200

/**
 * So many values in one body: each that is wrong is noted, and a Worker has room for so many notes. The largest batch of logs
 * that clients send has a third of that.
 */
const MAX_VALUES = 400_000

/** Why a parsed value is more than the rest of the program can walk through; undefined when it is not. */
export function boundsFault(value: unknown): string | undefined {
  let values = 0
  let level: object[] = [[value]]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_JSON_DEPTH) {
      return `nested more than ${MAX_JSON_DEPTH} levels deep`
    }
    const next: object[] = []
    for (const one of level) {
      const children: unknown[] = Array.isArray(one) ? one : Object.values(one)
      values += children.length
      for (const child of values > MAX_VALUES ? [] : children) {
        if (typeof child === 'object' && child !== null) {
          next.push(child)
        }
      }
    }
    if (values > MAX_VALUES) {
      return `more than ${MAX_VALUES} values`
    }
    level = next
  }
  return undefined
}

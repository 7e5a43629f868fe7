import { asInteger, content, isText, type Runtime, Undefined, type Value } from '../value.ts'

/** How an item's value for sorting, grouping and the like is found: `a.b.0`. */
export function picker(
  path: Value | undefined,
  runtime: Runtime,
  options: { ignoreCase?: boolean; otherwise?: Value | undefined } = {},
): (item: Value) => Value {
  const parts = pathParts(path)
  return (item) => {
    let found = item
    for (const part of parts) {
      found = runtime.getItem(found, part)
      if (found instanceof Undefined && (options.otherwise ?? null) !== null) {
        found = options.otherwise ?? null
      }
    }
    return options.ignoreCase === true ? folded(found) : found
  }
}

function pathParts(path: Value | undefined): Value[] {
  if (path === undefined || path === null) {
    return []
  }
  if (isText(path)) {
    return content(path)
      .split('.')
      .map((part) => (/^\d+$/.test(part) ? BigInt(part) : part))
  }
  return [asInteger(path) ?? path]
}

export function folded(value: Value): Value {
  return isText(value) ? content(value).toLowerCase() : value
}

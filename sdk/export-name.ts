/** How far above the call its variable may stand. */
const LINES_ABOVE = 3

const DECLARATION = /(?<exported>export\s+)?(?:const|let|var)\s+(?<name>[\p{L}_$][\p{L}\p{N}_$]*)/u

/**
 * The name under which a module exports the variable that is initialised at a line; read from the source, because a module
 * that is still being evaluated can't be imported by itself.
 * @param line 1 is the first
 */
export function findExportName(source: string, line: number): string | undefined {
  const above = source.split('\n').slice(Math.max(0, line - 1 - LINES_ABOVE), line)
  for (const text of above.toReversed()) {
    const match = DECLARATION.exec(text)
    const name = match?.groups?.['name']
    if (name !== undefined) {
      return match?.groups?.['exported'] === undefined ? findInList(source, name) : name
    }
  }
  return undefined
}

/** Looks for the name in `export { name, name as other }` and `export default name`. */
function findInList(source: string, name: string): string | undefined {
  for (const list of source.matchAll(/export\s*\{(?<names>[^}]*)\}/g)) {
    for (const entry of (list.groups?.['names'] ?? '').split(',')) {
      const [local, , exported] = entry.trim().split(/\s+/)
      if (local === name) {
        return exported ?? local
      }
    }
  }
  const asDefault = [...source.matchAll(/export\s+default\s+(?<name>[\p{L}\p{N}_$]+)/gu)]
  return asDefault.some((match) => match.groups?.['name'] === name) ? 'default' : undefined
}

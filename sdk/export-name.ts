interface Declaration {
  name: string
  exported: boolean
  /** 1 is the first line. */
  line: number
  /** The source up to the next declaration. */
  text: string
}

const DECLARATION =
  /^(?<exported>export\s+)?(?:const|let|var)\s+(?<name>[\p{L}_$][\p{L}\p{N}_$]*)\b/gmu

/**
 * The name under which a module exports a flow; read from the source, because a module that is still being evaluated can't be
 * imported by itself. The flow is the declaration that holds its name as a text; among several, or when none does (the name is
 * computed), the last one that begins at or above the line of the call.
 * @param line 1 is the first
 */
export function findExportName(source: string, flowName: string, line: number): string | undefined {
  const declarations = declarationsOf(source)
  const named = declarations.filter(({ text }) => holdsName(text, flowName))
  const candidates = named.length > 0 ? named : declarations
  const found =
    named.length === 1 ? named[0] : candidates.findLast((declaration) => declaration.line <= line)
  if (found === undefined) {
    return undefined
  }
  return found.exported ? found.name : findInList(source, found.name)
}

function declarationsOf(source: string): Declaration[] {
  const matches = [...source.matchAll(DECLARATION)]
  return matches.map((match, index) => ({
    name: match.groups?.['name'] ?? '',
    exported: match.groups?.['exported'] !== undefined,
    line: source.slice(0, match.index).split('\n').length,
    text: source.slice(match.index, matches[index + 1]?.index),
  }))
}

function holdsName(text: string, flowName: string): boolean {
  return [...text.matchAll(/\bname:\s*(?<quote>['"`])(?<name>.*?)\k<quote>/g)].some(
    (match) => match.groups?.['name'] === flowName,
  )
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

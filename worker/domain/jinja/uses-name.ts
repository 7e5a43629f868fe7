/** Whether a name is read anywhere in a piece of a template. */
export function usesName(piece: unknown, name: string): boolean {
  const rest: unknown[] = [piece]
  while (rest.length > 0) {
    const next = rest.pop()
    if (typeof next === 'object' && next !== null) {
      if ('type' in next && next.type === 'name' && 'name' in next && next.name === name) {
        return true
      }
      rest.push(...Object.values(next))
    }
  }
  return false
}

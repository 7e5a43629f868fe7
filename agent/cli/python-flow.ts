/**
 * Finds the name of a flow written in Python without running it: `name=` of its `@flow` decorator, else the function's
 * name with hyphens, as Prefect derives it.
 * @returns undefined when the source has no such function
 */
export function pythonFlowName(source: string, functionName: string): string | undefined {
  const definition = new RegExp(`^[ \\t]*(?:async[ \\t]+)?def[ \\t]+${functionName}[ \\t]*\\(`, 'm')
  const at = definition.exec(source)?.index
  if (at === undefined) {
    return undefined
  }
  return decoratedName(source.slice(0, at)) ?? functionName.replaceAll('_', '-')
}

/** The name in the last `@flow(…)` before a definition, if nothing but decorators stands in between. */
function decoratedName(before: string): string | undefined {
  const start = before.lastIndexOf('@flow')
  if (start < 0) {
    return undefined
  }
  const decorators = before.slice(start)
  // Another definition in between means that the decorator belongs to it.
  if (/^\s*(?:async\s+)?(?:def|class)\s/m.test(decorators)) {
    return undefined
  }
  return /[(,]\s*name\s*=\s*(?:"([^"]+)"|'([^']+)')/.exec(decorators)?.slice(1).find(Boolean)
}

import { getCallSites } from 'node:util'
import { fileURLToPath } from 'node:url'

/** A place in a module. */
export interface CallSite {
  file: string
  /** 1 is the first line. */
  line: number
}

/** Where the function that calls this one was called from; undefined where the platform doesn't say. */
export function findCallSite(): CallSite | undefined {
  const site = getCallSites(3)[2]
  if (site === undefined) {
    return undefined
  }
  const file = site.scriptName.startsWith('file:')
    ? fileURLToPath(site.scriptName)
    : site.scriptName
  return { file, line: site.lineNumber }
}

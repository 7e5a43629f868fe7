import { existsSync, readFileSync } from 'node:fs'
import type { Entry } from '../../e2e/flows/journal.ts'

/** One process's work on a run, from its first to its last sign of life. Epoch milliseconds. */
export interface Execution {
  run: string
  pid: number
  from: number
  to: number
  /** It came to the end of the flow. */
  ended: boolean
}

/** What the runs of a test have written down about themselves. */
export function readExecutions(file: string): Execution[] {
  if (!existsSync(file)) {
    return []
  }
  const executions = new Map<string, Execution>()
  // The last line may be half written just now.
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const { run, pid, what, at } = JSON.parse(line) as Entry
    const key = `${run} ${pid}`
    const known = executions.get(key) ?? { run, pid, from: at, to: at, ended: false }
    executions.set(key, { ...known, to: at, ended: known.ended || what === 'end' })
  }
  return [...executions.values()]
}

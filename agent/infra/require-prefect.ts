import { execFile } from 'node:child_process'
import { RefusedRun } from './driver.ts'

/** Finds the package without importing it: some 30 ms. */
const PROBE = 'import importlib.util, sys; sys.exit(importlib.util.find_spec("prefect") is None)'

/**
 * Looks before a start whether this Python has Prefect's package: the engine's own complaint would only be seen in the logs.
 * @throws RefusedRun that says what to install where
 */
export async function requirePrefect(
  python: string,
  options: { cwd: string; env: Record<string, string> },
): Promise<void> {
  const isThere = await new Promise<boolean>((settle) => {
    execFile(python, ['-c', PROBE], options, (error) => settle(error === null))
  })
  if (!isThere) {
    throw new RefusedRun(
      `Python flows run in Prefect's engine, and ${python} has no package 'prefect': install it there (${python} -m pip install prefect), or put the Python of an environment that has it first on PATH, the agent's or that of the job variable 'env'`,
    )
  }
}

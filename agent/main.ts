#!/usr/bin/env node
import process from 'node:process'

process.exitCode = await main(process.argv.slice(2))

/** Each branch loads only what it needs: starting a run must not wait for the command line's libraries. */
async function main(words: string[]): Promise<number> {
  if (words[0] === 'flow-run' && words[1] === 'execute') {
    // What the flow's code has left open, timers and connections, must not keep the process.
    process.exit(await executeFlowRun())
  }
  const { runCommandLine } = await import('./cli/program.ts')
  return await runCommandLine(words)
}

/** What the agent starts for a run of a flow in TypeScript; which run it is, the environment says. */
async function executeFlowRun(): Promise<number> {
  try {
    const { executeAssignedRun } = await import('../sdk/entrypoint.ts')
    return await executeAssignedRun()
  } catch (error) {
    process.stderr.write(`headgate: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

#!/usr/bin/env node
process.exitCode = await main(process.argv.slice(2))

/** Each branch loads only what it needs: starting a run must not wait for the command line's libraries. */
async function main(words: string[]): Promise<number> {
  const { runCommandLine } = await import('./cli/program.ts')
  return await runCommandLine(words)
}

export {}

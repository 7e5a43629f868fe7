import { report, runSuite, type Suite, type SuiteResult } from './run-suite.ts'

const SUITES: Suite[] = [
  { name: 'node', minutes: 8, what: 'pure core, SDK, agent, command line, console logic' },
  { name: 'workerd', minutes: 18, what: 'API, storage and objects in workerd' },
  { name: 'e2e', minutes: 12, what: 'the built system: server, agent, processes, browser' },
  { name: 'fuzz', minutes: 8, what: 'the API held against its own document by schemathesis' },
]

/**
 * Runs the test suites one after another, prints what each took of its budget and ends with one line that counts.
 * Arguments name suites; none means all.
 */
export async function test(args: string[]): Promise<void> {
  const unknown = args.filter((arg) => !SUITES.some(({ name }) => name === arg))
  if (unknown.length > 0) {
    process.stderr.write(
      `no such suite: ${unknown.join(', ')}; there are ${SUITES.map(({ name }) => name).join(', ')}\n`,
    )
    process.exitCode = 2
    return
  }
  const results: SuiteResult[] = []
  for (const suite of SUITES.filter(({ name }) => args.length === 0 || args.includes(name))) {
    results.push(await runSuite(suite))
  }
  report(results)
}

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Each suite with the minutes it may take; one that takes longer has failed. */
const SUITES = [
  { name: 'node', minutes: 8, what: 'pure core, SDK, agent, command line, console logic' },
  { name: 'workerd', minutes: 10, what: 'API, storage and objects in workerd' },
  { name: 'e2e', minutes: 12, what: 'the built system: server, agent, processes, browser' },
]

interface SuiteResult {
  name: string
  passed: number
  failed: number
  seconds: number
  note: string
}

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
    process.stdout.write(`\n${suite.name}: ${suite.what} (${suite.minutes} minutes at most)\n`)
    results.push(await runSuite(suite))
  }
  process.stdout.write(`\n${table(results)}\n`)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failed = results.reduce((sum, result) => sum + result.failed, 0)
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}

async function runSuite({
  name,
  minutes,
}: {
  name: string
  minutes: number
}): Promise<SuiteResult> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-test-'))
  const report = join(folder, 'report.json')
  const began = Date.now()
  const child = spawn(
    join(root, 'node_modules/.bin/vitest'),
    [
      'run',
      '--project',
      name,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, CI: 'true', FORCE_COLOR: '0' } },
  )
  let note = ''
  const timer = setTimeout(() => {
    note = `stopped after ${minutes} minutes`
    child.kill('SIGKILL')
  }, minutes * 60_000)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  clearTimeout(timer)
  const counts = readReport(report)
  rmSync(folder, { recursive: true, force: true })
  // A suite that ended otherwise than its tests did (an unhandled error, no report) counts as one failure.
  const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed
  if (failed > 0 && note === '' && counts.failed === 0) {
    note = `vitest exited with ${String(code)}`
  }
  return {
    name,
    passed: counts.passed,
    failed,
    seconds: Math.round((Date.now() - began) / 1000),
    note,
  }
}

function readReport(file: string): { passed: number; failed: number } {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as {
      numPassedTests: number
      numFailedTests: number
    }
    return { passed: report.numPassedTests, failed: report.numFailedTests }
  } catch {
    // No report: the caller sees that by the exit code.
    return { passed: 0, failed: 0 }
  }
}

function table(results: SuiteResult[]): string {
  const budgets = new Map(SUITES.map(({ name, minutes }) => [name, minutes * 60]))
  return [
    line(['SUITE', 'PASSED', 'FAILED', 'SECONDS', 'BUDGET']),
    ...results.map(
      ({ name, passed, failed, seconds, note }) =>
        line([name, String(passed), String(failed), String(seconds), String(budgets.get(name))]) +
        (note === '' ? '' : `  ${note}`),
    ),
    '',
  ].join('\n')
}

function line(cells: string[]): string {
  const [first = '', ...rest] = cells
  return `  ${first.padEnd(9)}${rest.map((cell) => cell.padStart(9)).join('')}`
}

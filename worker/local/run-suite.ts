import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** A vitest project with the minutes it may take; one that takes longer has failed. */
export interface Suite {
  name: string
  minutes: number
  what: string
  /** Further words for vitest: files, filters. */
  words?: string[]
  env?: Record<string, string>
}

export interface SuiteResult {
  suite: Suite
  passed: number
  failed: number
  seconds: number
  note: string
  /** The seconds of each test file. */
  files: { name: string; seconds: number }[]
}

/** Runs one suite; says what it is and what it may take first. */
export async function runSuite(suite: Suite): Promise<SuiteResult> {
  const { name, minutes } = suite
  process.stdout.write(`\n${name}: ${suite.what} (${minutes} minutes at most)\n`)
  const folder = mkdtempSync(join(tmpdir(), 'headgate-test-'))
  const reportFile = join(folder, 'report.json')
  const began = Date.now()
  const child = spawn(
    join(root, 'node_modules/.bin/vitest'),
    [
      'run',
      '--project',
      name,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...(suite.words ?? []),
    ],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, CI: 'true', FORCE_COLOR: '0', ...suite.env },
    },
  )
  let note = ''
  const timer = setTimeout(() => {
    note = `stopped after ${minutes} minutes`
    child.kill('SIGKILL')
  }, minutes * 60_000)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  clearTimeout(timer)
  const counts = readReport(reportFile)
  rmSync(folder, { recursive: true, force: true })
  // A suite that ended otherwise than its tests did (an unhandled error, no report) counts as one failure.
  const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed
  if (failed > 0 && note === '' && counts.failed === 0) {
    note = `vitest exited with ${String(code)}`
  }
  const seconds = Math.round((Date.now() - began) / 1000)
  return { ...counts, suite, failed, seconds, note }
}

/** Prints what each suite took of its budget, ends with one line that counts, and sets the exit code by it. */
export function report(results: SuiteResult[]): void {
  process.stdout.write(`\n${table(results)}\n`)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failed = results.reduce((sum, result) => sum + result.failed, 0)
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}

type Counts = Pick<SuiteResult, 'passed' | 'failed' | 'files'>

function readReport(file: string): Counts {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(
      readFileSync(file, 'utf8'),
    ) as {
      numPassedTests: number
      numFailedTests: number
      testResults: { name: string; startTime: number; endTime: number }[]
    }
    const files = testResults.map(({ name, startTime, endTime }) => ({
      name: name.slice(root.length + 1),
      seconds: Math.round((endTime - startTime) / 1000),
    }))
    return { passed: numPassedTests, failed: numFailedTests, files }
  } catch {
    // No report: the caller sees that by the exit code.
    return { passed: 0, failed: 0, files: [] }
  }
}

function table(results: SuiteResult[]): string {
  return [
    line(['SUITE', 'PASSED', 'FAILED', 'SECONDS', 'BUDGET']),
    ...results.map(
      ({ suite, passed, failed, seconds, note }) =>
        line([suite.name, passed, failed, seconds, suite.minutes * 60].map(String)) +
        (note === '' ? '' : `  ${note}`),
    ),
    '',
  ].join('\n')
}

function line(cells: string[]): string {
  const [first = '', ...rest] = cells
  return `  ${first.padEnd(9)}${rest.map((cell) => cell.padStart(9)).join('')}`
}

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSuiteReport, type Failure, type SuiteReport } from './suite-report.ts'

const root = join(import.meta.dirname, '../..')

/** So many test files are looked at a second time; more failures than that are no chance. */
const SECOND_LOOK_FILES = 4
const SECOND_LOOK_MINUTES = 5

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
  failures: Failure[]
  /** Failed at first, and passed when their files were run once more by themselves. */
  unsteady: Failure[]
  seconds: number
  /** Why it has failed, where no test says so. */
  note: string
  /** The seconds of each test file. */
  files: SuiteReport['files']
}

/**
 * Runs one suite; says what it is and what it may take first. The machines of the gate are shared and noisy: files that failed
 * are run once more by themselves, and what passes then is named as unsteady, to be mended.
 */
export async function runSuite(suite: Suite): Promise<SuiteResult> {
  const { name, minutes, what } = suite
  process.stdout.write(`\n${name}: ${what} (${minutes} minutes at most)\n`)
  const began = Date.now()
  const first = await runVitest(suite, suite.words ?? [], minutes)
  const result: SuiteResult = {
    suite,
    passed: first.report?.passed ?? 0,
    failures: first.report?.failures ?? [],
    unsteady: [],
    seconds: 0,
    note: first.note,
    files: first.report?.files ?? [],
  }
  const again = new Set(result.failures.map(({ file }) => file))
  const mayPass = !result.failures.some(({ isCounterexample }) => isCounterexample)
  if (result.note === '' && again.size > 0 && again.size <= SECOND_LOOK_FILES && mayPass) {
    process.stdout.write(`\n${name}: once more ${[...again].join(', ')}\n`)
    const second = await runVitest(suite, [...again], SECOND_LOOK_MINUTES)
    if (second.report !== null && second.note === '') {
      const still = second.report.failures
      const isStill = (one: Failure) =>
        still.some((other) => other.file === one.file && other.name === one.name)
      result.unsteady = result.failures.filter((one) => !isStill(one))
      result.failures = still
      result.passed += result.unsteady.length
    }
  }
  result.seconds = Math.round((Date.now() - began) / 1000)
  return result
}

/** Prints what each suite took of its budget and what failed, ends with one line that counts, and sets the exit code by it. */
export function report(results: SuiteResult[]): void {
  process.stdout.write(`\n${table(results)}\n`)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failed = results.reduce((sum, result) => sum + failedIn(result), 0)
  for (const { unsteady } of results) {
    print('UNSTEADY (failed, and passed when run once more)', unsteady)
  }
  for (const { failures } of results) {
    print('FAILED', failures)
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}

/** A suite that ended otherwise than its tests did (an unhandled error, no report) counts as one failure. */
function failedIn({ failures, note }: SuiteResult): number {
  return failures.length + (note === '' ? 0 : 1)
}

async function runVitest(
  { name, env }: Suite,
  words: string[],
  minutes: number,
): Promise<{ report: SuiteReport | null; note: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-test-'))
  const reportFile = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
  const child = spawn(
    join(root, 'node_modules/.bin/vitest'),
    ['run', '--project', name, ...reporters, ...words],
    { cwd: root, stdio: 'inherit', env: { ...process.env, CI: 'true', FORCE_COLOR: '0', ...env } },
  )
  let note = ''
  const timer = setTimeout(() => {
    note = `stopped after ${minutes} minutes`
    child.kill('SIGKILL')
  }, minutes * 60_000)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  clearTimeout(timer)
  const read = readSuiteReport(reportFile, root)
  rmSync(folder, { recursive: true, force: true })
  if (note === '' && code !== 0 && (read === null || read.failures.length === 0)) {
    note = `vitest exited with ${String(code)}`
  }
  return { report: read, note }
}

function print(title: string, failures: Failure[]): void {
  for (const { file, name, message } of failures) {
    const text = message.replaceAll('\n', '\n    ')
    process.stdout.write(`${title}: ${file}: ${name}\n    ${text}\n\n`)
  }
}

function table(results: SuiteResult[]): string {
  return [
    line(['SUITE', 'PASSED', 'FAILED', 'UNSTEADY', 'SECONDS', 'BUDGET']),
    ...results.map((result) => {
      const { suite, passed, unsteady, seconds, note } = result
      const cells = [passed, failedIn(result), unsteady.length, seconds, suite.minutes * 60]
      return line([suite.name, ...cells.map(String)]) + (note === '' ? '' : `  ${note}`)
    }),
    '',
  ].join('\n')
}

function line(cells: string[]): string {
  const [first = '', ...rest] = cells
  return `  ${first.padEnd(9)}${rest.map((cell) => cell.padStart(9)).join('')}`
}

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { makePythonEnvironment } from './python-environment.ts'
import { report, runSuite } from './run-suite.ts'

const root = join(import.meta.dirname, '../..')
const LOCKS = join(root, 'test/prefect')
/** What `npm run test:prefect` judges by; other versions are a matrix, run on demand. */
const VERSION = '3.9.1'
const MINUTES = 16
/** What compares with the server of the newest release, and only with that. */
const BESIDE_SERVER = ['test/prefect/differential.test.ts', 'test/prefect/import.test.ts']

/**
 * Runs the tests with the real, unmodified `prefect` package, from a virtual environment of the lock file's making.
 * Arguments are files or parts of their names; `--version` takes another release that has a lock file.
 */
export async function testPrefect(args: string[]): Promise<void> {
  const { version, words } = readArguments(args)
  const lockFile = join(LOCKS, `requirements-${version}.txt`)
  const versions = lockedVersions()
  if (!versions.includes(version)) {
    process.stderr.write(`no lock file for prefect ${version}; there are ${versions.join(', ')}\n`)
    process.exitCode = 2
    return
  }
  const folder = join(root, `.prefect/venv-${version}`)
  try {
    makePythonEnvironment(folder, lockFile)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.stdout.write('0 passed, 1 failed\n')
    process.exitCode = 1
    return
  }
  const result = await runSuite({
    name: 'prefect',
    minutes: MINUTES,
    what: `the real prefect ${version}: its client, command line, worker and engine`,
    words: version === VERSION ? words : [...words, ...excluded(BESIDE_SERVER)],
    env: { HEADGATE_TEST_PREFECT: folder, HEADGATE_TEST_PREFECT_VERSION: version },
  })
  for (const { name, seconds } of result.files.toSorted((a, b) => b.seconds - a.seconds)) {
    process.stdout.write(`  ${String(seconds).padStart(4)} s  ${name}\n`)
  }
  report([result])
}

function excluded(files: string[]): string[] {
  return files.map((file) => `--exclude=${file}`)
}

function readArguments(args: string[]): { version: string; words: string[] } {
  const at = args.indexOf('--version')
  return at === -1
    ? { version: VERSION, words: args }
    : { version: args[at + 1] ?? '', words: args.toSpliced(at, 2) }
}

function lockedVersions(): string[] {
  return readdirSync(LOCKS)
    .map((name) => /^requirements-(.+)\.txt$/.exec(name)?.[1])
    .filter((version) => version !== undefined)
}

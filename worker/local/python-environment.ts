import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The one that the lock files were made with first: what they pin needs 3.11. */
const INTERPRETERS = ['python3.11', 'python3.12', 'python3.13', 'python3']
/** `ensurepip` is what a Python without its `venv` package lacks. */
const PROBE = 'import ensurepip, sys; print("%d.%d.%d" % sys.version_info[:3])'

/**
 * Makes the virtual environment that a lock file describes, or finds it made already: its stamp is the hash of the lock file
 * and the interpreter's version.
 * @throws Error that says what to install
 */
export function makePythonEnvironment(folder: string, lockFile: string): void {
  const python = findPython()
  const stamp = join(folder, 'lock.sha256')
  const wanted = createHash('sha256')
    .update(readFileSync(lockFile))
    .update(python.version)
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
    return
  }
  process.stderr.write(`Installing ${lockFile} into ${folder} (once, half a minute) …\n`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(dirname(folder), { recursive: true })
  run(python.program, ['-m', 'venv', folder])
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps']
  run(join(folder, 'bin/python'), [...pip, '-r', lockFile])
  writeFileSync(stamp, wanted)
}

function findPython(): { program: string; version: string } {
  const found: string[] = []
  for (const program of INTERPRETERS) {
    const { status, stdout } = spawnSync(program, ['-c', PROBE], { encoding: 'utf8' })
    if (status === 0) {
      const version = stdout.trim()
      const [major = 0, minor = 0] = version.split('.').map(Number)
      if (major === 3 && minor >= 11) {
        return { program, version }
      }
      found.push(`${program} is ${version}`)
    }
  }
  throw new Error(
    `these tests need Python 3.11 or newer with its venv module (Debian: apt install python3 python3-venv); ${
      found.length === 0 ? 'there is none on the PATH' : found.join(', ')
    }`,
  )
}

function run(program: string, words: string[]): void {
  const { status, error } = spawnSync(program, words, { stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    throw new Error(`${program} ${words.join(' ')} failed${error ? `: ${error.message}` : ''}`)
  }
}

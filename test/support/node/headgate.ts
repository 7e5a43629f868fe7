import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const MAIN = resolve(import.meta.dirname, '../../../agent/main.ts')

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

export interface CommandLine {
  /** The `HEADGATE_HOME` of its commands. */
  home: string
  /** Runs `headgate` with these words in a process of its own. */
  run: (...words: string[]) => Promise<Outcome>
  /** Runs it with `--output json` and reads what it prints; fails when that is not JSON. */
  json: <T>(...words: string[]) => Promise<T>
}

export interface CommandLineOptions {
  env?: Record<string, string>
  /** The working directory. */
  directory?: string
  /** What standard input holds. */
  input?: string
}

/** Makes a `headgate` command with a home of its own and nothing of this process's environment. */
export function makeCommandLine(options: CommandLineOptions = {}): CommandLine {
  const home = mkdtempSync(join(tmpdir(), 'headgate-cli-'))
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    HEADGATE_HOME: home,
    TZ: 'UTC',
    // Half of a short command's time goes into reading its sources.
    NODE_COMPILE_CACHE: join(tmpdir(), 'headgate-compile-cache'),
    ...options.env,
  }
  const run = (...words: string[]) => runProcess(words, { ...options, env })
  return {
    home,
    run,
    json: async <T>(...words: string[]) => {
      const { stdout, stderr } = await run(...words, '--output', 'json')
      try {
        return JSON.parse(stdout) as T
      } catch {
        throw new Error(`no JSON on standard output: ${stdout}\nstandard error: ${stderr}`)
      }
    },
  }
}

function runProcess(words: string[], options: CommandLineOptions): Promise<Outcome> {
  return new Promise((settle, fail) => {
    const child = spawn(process.execPath, [MAIN, ...words], {
      cwd: options.directory,
      env: options.env,
      stdio: 'pipe',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (stderr += String(chunk)))
    child.on('error', fail)
    child.on('close', (code) => {
      settle({ code, stdout, stderr })
    })
    child.stdin.end(options.input ?? '')
  })
}

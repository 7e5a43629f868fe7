import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import type { JsonObject } from '../../core/wire/common.ts'
import { RefusedRun } from './driver.ts'
import { signalProcess } from './process-table.ts'
import { type PullStep, parsePullStep, type StepFacts } from './pull-steps.ts'

export interface PullOptions {
  /** Where the steps begin; relative paths are meant from there. */
  directory: string
  /** The run's environment. */
  env: Record<string, string>
  /** Receives what the steps' programs say. */
  outputPath: string
  /** Asked before a step works in a folder, and before it clones. Throws where the host does not allow it. */
  guard: {
    admitDirectory(path: string): Promise<void>
    admitRepository(repository: string): Promise<void>
  }
  /** Called with each program that is started; it leads a process group of its own. */
  onStart: (pid: number) => void
  signal: AbortSignal
}

/**
 * Does a deployment's pull steps in order.
 * @returns the absolute directory in which the run is to be started
 * @throws RefusedRun when a step is unknown or fails; the signal's reason when it is aborted
 */
export async function pullCode(steps: JsonObject[], options: PullOptions): Promise<string> {
  const facts: StepFacts = { outputs: {}, env: options.env }
  let directory = options.directory
  for (const entry of steps) {
    const step = parsePullStep(entry, facts)
    // Steps depend on the directory that the one before has left.
    const output = await doStep(step, { ...options, directory })
    directory = output.directory ?? directory
    if (step.id !== undefined) {
      facts.outputs[step.id] = { directory, ...output }
    }
  }
  return directory
}

type StepOutput = { directory?: string; stdout?: string }

async function doStep(step: PullStep, options: PullOptions): Promise<StepOutput> {
  if (step.kind === 'set_working_directory') {
    return { directory: await existingDirectory(step.directory, options) }
  }
  if (step.kind === 'git_clone') {
    return { directory: await clone(step, options) }
  }
  const cwd = await existingDirectory(step.directory ?? '.', options)
  const env = { ...options.env, ...step.env }
  const stdout = await runProgram('sh', ['-e', '-c', step.script], { ...options, cwd, env })
  return { stdout: stdout.trim() }
}

async function existingDirectory(
  path: string,
  { directory: base, guard }: PullOptions,
): Promise<string> {
  const directory = isAbsolute(path) ? path : resolve(base, path)
  await guard.admitDirectory(directory)
  const found = await stat(directory).catch(() => undefined)
  if (found?.isDirectory() !== true) {
    throw new RefusedRun(`the working directory '${directory}' does not exist on the agent's host`)
  }
  return directory
}

async function clone(
  step: Extract<PullStep, { kind: 'git_clone' }>,
  options: PullOptions,
): Promise<string> {
  await options.guard.admitRepository(step.repository)
  const into = join(options.directory, step.into)
  const env = { ...options.env, GIT_TERMINAL_PROMPT: '0', ...credentials(step) }
  const git = (...words: string[]) => runProgram('git', words, { ...options, cwd: into, env })
  await mkdir(into, { recursive: true })
  const isThere = await stat(join(into, '.git')).catch(() => undefined)
  if (isThere === undefined) {
    await git('init', '--quiet')
    await git('remote', 'add', '--', 'origin', step.repository)
  }
  if (step.directories.length > 0) {
    await git('sparse-checkout', 'set', '--', ...step.directories)
  }
  const wanted = step.commitSha ?? step.branch ?? 'HEAD'
  const partial = step.directories.length > 0 ? ['--filter=blob:none'] : []
  try {
    await git('fetch', '--quiet', '--depth=1', ...partial, '--', 'origin', wanted)
    await git('checkout', '--quiet', '--force', '--detach', 'FETCH_HEAD')
  } catch (error) {
    if (step.commitSha === undefined || options.signal.aborted) {
      throw error
    }
    // A server may refuse to serve a commit by its name, and a shortened name is no name to it: look in the whole history.
    await git('fetch', '--quiet', '--tags', '--', 'origin', '+refs/heads/*:refs/remotes/origin/*')
    await git('checkout', '--quiet', '--force', '--detach', step.commitSha)
  }
  if (step.includeSubmodules) {
    await git('submodule', 'update', '--init', '--recursive', '--depth=1')
  }
  return into
}

/** The token goes to git by its environment, for this origin only: not into the arguments, which every user of the host can read. */
function credentials(step: {
  repository: string
  accessToken: string | undefined
}): Record<string, string> {
  if (step.accessToken === undefined) {
    return {}
  }
  if (!step.repository.startsWith('https://')) {
    throw new RefusedRun(
      `pull step 'git_clone' has 'access_token', which needs an https:// repository, got '${step.repository}'`,
    )
  }
  const { origin, host } = new URL(step.repository)
  const user = host.includes('gitlab')
    ? 'oauth2'
    : host.includes('bitbucket')
      ? 'x-token-auth'
      : 'x-access-token'
  const basic = Buffer.from(`${user}:${step.accessToken}`).toString('base64')
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  }
}

/** Of a step's output this much is kept in memory, for the next steps and for the message of its failure. */
const KEPT_OUTPUT = 65_536

interface ProgramOptions extends PullOptions {
  cwd: string
}

/** Runs a program to its end in a group of its own; its output goes to the run's. Returns its standard output. */
async function runProgram(
  program: string,
  words: string[],
  { cwd, env, outputPath, onStart, signal }: ProgramOptions,
): Promise<string> {
  signal.throwIfAborted()
  const log = createWriteStream(outputPath, { flags: 'a', mode: 0o600 })
  const child = spawn(program, words, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (child.pid !== undefined) {
    onStart(child.pid)
  }
  const killGroup = () => {
    if (child.pid !== undefined) {
      signalProcess(-child.pid, 'SIGKILL')
    }
  }
  signal.addEventListener('abort', killGroup, { once: true })
  try {
    const stdout = keep(child.stdout, log)
    const stderr = keep(child.stderr, log)
    const status = await ending(child)
    signal.throwIfAborted()
    if (status !== 0) {
      const lastWords = (stderr().trim() || stdout().trim()).slice(-2000)
      throw new RefusedRun(
        `a pull step failed: ${describe(program, words)} ended with ${status}: ${lastWords}`,
      )
    }
    return stdout()
  } finally {
    signal.removeEventListener('abort', killGroup)
    // What the program has left behind in its group must not outlive the step.
    killGroup()
    log.end()
  }
}

/** The exit code, or the name of the signal, once the output has been read as well. */
async function ending(child: ChildProcess): Promise<number | string> {
  return await new Promise((done, failed) => {
    child.once('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT'
      failed(
        missing
          ? new RefusedRun(
              `a pull step needs '${child.spawnfile}', which is not on the host's PATH`,
            )
          : error,
      )
    })
    child.once('exit', (code, by) => {
      const status = code ?? by ?? 'an unknown status'
      // A process left in the background can hold the output open for ever.
      const patience = setTimeout(() => done(status), 500)
      child.once('close', () => {
        clearTimeout(patience)
        done(status)
      })
    })
  })
}

function keep(stream: Readable, log: WriteStream): () => string {
  let kept = ''
  stream.on('data', (chunk: Buffer) => {
    log.write(chunk)
    kept = (kept + chunk.toString('utf8')).slice(-KEPT_OUTPUT)
  })
  return () => kept
}

function describe(program: string, words: string[]): string {
  return program === 'sh' ? 'the shell script' : [program, ...words].join(' ')
}

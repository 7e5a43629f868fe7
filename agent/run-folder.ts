import {
  appendFile,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import type { ClaimedRun } from '../core/wire/execution.ts'

/** What a run's process reads at `HEADGATE_RUN_CONTEXT`: all of the claim but the token. */
export type RunContext = Omit<ClaimedRun, 'run_token'>

/**
 * The disk's memory of one execution, `runs/<run id>.<fence>/`. Who writes and who reads each file:
 * - `context.json`  the agent, before it accepts; read by the run's process. Without it the folder means nothing.
 * - `handle.json`   the driver, before anything of the run is executed; read to find the process again.
 * - `pulling.json`  the driver; the program of the last pull step, which is ended when its agent has died.
 * - `supervise.sh`, `started`, `exit`, `fenced`, `supervisor.log`  the process driver's supervisor (`infra/supervisor.ts`).
 * - `lease`         the agent, after each renewal that kept the execution; read by the supervisor.
 * - `output.log`    the run's process; read by `logs.ts`, which notes in `output.offset` how far it has been sent.
 * - `acknowledged`  the agent, once the API has taken the end: only output may still be unsent.
 * - `work/`         the run's own temporary working directory.
 */
export interface RunFolder {
  path: string
  flowRunId: string
  fence: number
}

export function runFolder(runsFolder: string, flowRunId: string, fence: number): RunFolder {
  return { path: join(runsFolder, `${flowRunId}.${fence}`), flowRunId, fence }
}

/** Makes the folder with its context; 0700 and 0600, since parameters can be private. */
export async function createRunFolder(folder: RunFolder, context: RunContext): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 })
  await writeFileSafely(join(folder.path, 'context.json'), JSON.stringify(context))
}

/** The folder's context, or undefined where the agent died before it had written one. */
export async function readContext(folder: RunFolder): Promise<RunContext | undefined> {
  const text = await readText(join(folder.path, 'context.json'))
  return text === undefined ? undefined : (parseJson(text) as RunContext | undefined)
}

export async function listRunFolders(runsFolder: string): Promise<RunFolder[]> {
  const names = await readdir(runsFolder)
  return names.flatMap((name) => {
    const match = /^([0-9a-f-]{36})\.(\d+)$/.exec(name)
    return match?.[1] === undefined ? [] : [runFolder(runsFolder, match[1], Number(match[2]))]
  })
}

export async function removeRunFolder(folder: RunFolder): Promise<void> {
  await rm(folder.path, { recursive: true, force: true, maxRetries: 3 })
}

/** Adds a line of the agent's own to the run's output, and so to its logs. */
export async function noteInOutput(folder: RunFolder, line: string): Promise<void> {
  await appendFile(join(folder.path, 'output.log'), `${line}\n`, { mode: 0o600 })
}

/** When its infrastructure was made, as epoch milliseconds; now, where it was not. */
export async function beganAt(folder: RunFolder): Promise<number> {
  const found = await stat(join(folder.path, 'handle.json')).catch(() => undefined)
  return found?.mtimeMs ?? Date.now()
}

export async function acknowledge(folder: RunFolder): Promise<void> {
  await writeFile(join(folder.path, 'acknowledged'), '')
}

export async function isAcknowledged(folder: RunFolder): Promise<boolean> {
  return (await readText(join(folder.path, 'acknowledged'))) !== undefined
}

/** Writes a file so that a reader, or this program after a crash, sees the whole of it or nothing. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  await writeFile(temporary, text, { mode: 0o600 })
  await rename(temporary, path)
}

/** As `replaceFile`, and it outlives a loss of power. */
export async function writeFileSafely(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}

/** The file's text; undefined where there is no such file. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return undefined
    }
    throw error
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

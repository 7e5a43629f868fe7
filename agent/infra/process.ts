import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { mkdir, open, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseJson, readText, replaceFile, type RunFolder, writeFileSafely } from '../run-folder.ts'
import {
  type Driver,
  type Ending,
  type Infrastructure,
  type Lease,
  RefusedRun,
  type RunOrder,
} from './driver.ts'
import { findProgram } from './find-program.ts'
import { hostClock } from './host-clock.ts'
import { toEnding } from './process-ending.ts'
import { ProcessGuard } from './process-guard.ts'
import { processSpec } from './process-spec.ts'
import { groupMembers, isRunning, processStart, signalProcess } from './process-table.ts'
import { pullCode } from './pull.ts'
import { requirePrefect } from './require-prefect.ts'
import { SUPERVISOR_SCRIPT } from './supervisor.ts'

/** The supervisor, which leads the run's process group: its process id and what tells it from later bearers of that id. */
type ProcessHandle = { type: 'process'; pid: number; start: string }

/** How often an adopted supervisor, which is no child of this agent, is looked at. */
const ADOPTED_POLL_MS = 500
/**
 * How often the group is looked at while it is being stopped: at first often, since what the supervisor has killed at its own
 * end is gone within a few milliseconds and the place of the run is free for the next one then; less and less while a program
 * takes its grace.
 */
const FIRST_STOPPING_POLL_MS = 2
const LAST_STOPPING_POLL_MS = 100

/** Runs flows as processes on the agent's host. */
export const processDriver: Driver = { type: 'process', start, find }

async function start(order: RunOrder, signal: AbortSignal): Promise<Infrastructure> {
  const { folder } = order
  const begun = await find(folder)
  if (begun !== undefined) {
    return begun
  }
  const spec = processSpec({
    claimed: order.claimed,
    folderPath: folder.path,
    apiUrl: order.apiUrl,
    headgateScript: order.headgateScript,
    nodePath: process.execPath,
    pinned: order.pinned ?? false,
    hostEnv: process.env,
  })
  const guard = new ProcessGuard({
    policy: order.policy,
    claimed: order.claimed,
    folder,
    spec,
    hostPath: process.env['PATH'] ?? '',
  })
  await guard.admitJob()
  const base = spec.workingDirectory ?? (await temporaryDirectory(folder))
  if (!(await isDirectory(base))) {
    throw new RefusedRun(`the working directory '${base}' does not exist on the agent's host`)
  }
  const cwd = await pullCode(spec.pullSteps, {
    directory: base,
    env: spec.env,
    outputPath: outputPath(folder),
    onStart: (pid) => notePulling(folder, pid),
    guard,
    signal,
  })
  signal.throwIfAborted()
  await guard.admitStart(cwd)
  const command = foundProgram(spec.command, spec.path, cwd)
  if (spec.needsPrefect) {
    await requirePrefect(command[0], { cwd, env: spec.env })
  }
  const lease = order.lease()
  if (hostClock() - lease.stamp >= lease.graceSeconds) {
    throw new RefusedRun('The lease ran out while the run was being prepared.')
  }
  await writeLease(folder, lease)
  return await supervise(folder, command, cwd, spec.env)
}

/** Starts the supervisor; the command itself begins only after the handle is on the disk. */
async function supervise(
  folder: RunFolder,
  command: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<Infrastructure> {
  const script = join(folder.path, 'supervise.sh')
  await Promise.all([
    writeFile(script, SUPERVISOR_SCRIPT, { mode: 0o700 }),
    writeFile(outputPath(folder), '', { flag: 'a', mode: 0o600 }),
  ])
  const log = await open(join(folder.path, 'supervisor.log'), 'a', 0o600)
  try {
    const child = spawn('/bin/sh', [script, folder.path, ...command], {
      cwd,
      env,
      detached: true,
      stdio: ['pipe', 'ignore', log.fd],
    })
    await once(child, 'spawn')
    const exited = once(child, 'exit')
    const pid = child.pid ?? 0
    const started = processStart(pid)
    if (started === undefined) {
      throw new Error(`the supervisor of run ${folder.flowRunId} ended before it was told to start`)
    }
    const handle: ProcessHandle = { type: 'process', pid, start: started }
    await writeFileSafely(join(folder.path, 'handle.json'), JSON.stringify(handle))
    // A supervisor that dies just now closes the pipe; its end says so.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end('go\n')
    child.unref()
    return infrastructure(folder, handle, exited)
  } finally {
    await log.close()
  }
}

async function find(folder: RunFolder): Promise<Infrastructure | undefined> {
  const handle = await readHandle(folder, 'handle.json')
  if (handle !== undefined) {
    return infrastructure(folder, handle, supervisorGone(handle.pid, handle.start))
  }
  const pulling = await readHandle(folder, 'pulling.json')
  if (pulling !== undefined) {
    // The agent died in the middle of a pull step: what it had started must not work beside the next start.
    await stopGroup(pulling, 0)
  }
  return undefined
}

async function readHandle(folder: RunFolder, name: string): Promise<ProcessHandle | undefined> {
  const text = await readText(join(folder.path, name))
  const handle = text === undefined ? undefined : (parseJson(text) as ProcessHandle | undefined)
  return handle?.type === 'process' ? handle : undefined
}

/** At once, so that no moment is left in which the program runs and nobody knows of it. */
function notePulling(folder: RunFolder, pid: number): void {
  const handle: ProcessHandle = { type: 'process', pid, start: processStart(pid) ?? '' }
  writeFileSync(join(folder.path, 'pulling.json'), JSON.stringify(handle), { mode: 0o600 })
}

function infrastructure(
  folder: RunFolder,
  handle: ProcessHandle,
  supervisorEnded: Promise<unknown>,
): Infrastructure {
  const ended = supervisorEnded.then(() => readEnding(folder, handle))
  return {
    handle,
    name: String(handle.pid),
    isAlive: () => isRunning(handle.pid, handle.start),
    ended,
    extend: (lease) => writeLease(folder, lease),
    stop: async (graceSeconds) => {
      await stopGroup(handle, graceSeconds)
      await ended
    },
  }
}

async function supervisorGone(pid: number, started: string): Promise<void> {
  while (isRunning(pid, started)) {
    await wait(ADOPTED_POLL_MS, undefined, { ref: false })
  }
}

/** Waits until no process of the group is left, then reads what the supervisor has written. */
async function readEnding(folder: RunFolder, handle: ProcessHandle): Promise<Ending> {
  await stopGroup(handle, 0)
  const read = (name: string) => readText(join(folder.path, name)).catch(() => undefined)
  const [exit, started, fenced] = await Promise.all(['exit', 'started', 'fenced'].map(read))
  return toEnding({
    // Without its newline it is not the whole of what the supervisor was writing.
    status: exit?.endsWith('\n') === true ? Number.parseInt(exit, 10) : undefined,
    started: started !== undefined,
    fenced: fenced !== undefined,
  })
}

/** SIGTERM to the group, after the grace SIGKILL; ends when the operating system lists no living member. */
async function stopGroup({ pid, start: started }: ProcessHandle, graceSeconds: number) {
  const deadline = performance.now() + graceSeconds * 1000
  let signal: NodeJS.Signals = graceSeconds > 0 ? 'SIGTERM' : 'SIGKILL'
  let sent: NodeJS.Signals | undefined
  let pause = FIRST_STOPPING_POLL_MS
  for (;;) {
    const members = livingMembers(pid, started)
    if (members.length === 0) {
      return
    }
    if (performance.now() >= deadline) {
      signal = 'SIGKILL'
    }
    // SIGTERM once, so that a program which takes the second one for haste has its grace; SIGKILL until nobody is left.
    if (signal !== sent || signal === 'SIGKILL') {
      sendToAll(pid, members, signal)
      sent = signal
    }
    await wait(pause)
    pause = Math.min(pause * 2, LAST_STOPPING_POLL_MS)
  }
}

/** None when the leader's id belongs to another process by now: an id is not given anew while its group exists. */
function livingMembers(pid: number, started: string): number[] {
  const bearer = processStart(pid)
  return bearer !== undefined && bearer !== started ? [] : groupMembers(pid)
}

function sendToAll(leader: number, members: number[], signal: NodeJS.Signals): void {
  signalProcess(-leader, signal)
  // Those of the session that have made themselves a group of their own.
  for (const member of members) {
    if (member !== leader) {
      signalProcess(member, signal)
    }
  }
}

async function writeLease(folder: RunFolder, lease: Lease): Promise<void> {
  const seconds = Math.max(1, Math.floor(lease.graceSeconds))
  await replaceFile(join(folder.path, 'lease'), `${lease.stamp} ${seconds}\n`)
}

async function temporaryDirectory(folder: RunFolder): Promise<string> {
  const path = join(folder.path, 'work')
  await mkdir(path, { recursive: true })
  return path
}

function outputPath(folder: RunFolder): string {
  return join(folder.path, 'output.log')
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** The command with its program looked up. */
function foundProgram(
  [program, ...words]: [string, ...string[]],
  path: string,
  cwd: string,
): [string, ...string[]] {
  const found = findProgram(program, path, cwd)
  if (found === undefined) {
    throw new RefusedRun(
      `the program '${program}' cannot be executed: ${program.includes('/') ? `there is no executable file ${resolve(cwd, program)}` : `it is in none of the folders of PATH (${path})`}`,
    )
  }
  return [found, ...words]
}

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process; its start tells it from a later one with the same number. */
export interface ProcessMark {
  pid: number
  started: string
}

export interface ListedProcess extends ProcessMark {
  parent: number
  /** Its words and, behind them, its environment, as far as it may be read. */
  command: string
}

/** All living processes of this machine: from /proc on Linux, from `ps` elsewhere. */
export function listProcesses(): ListedProcess[] {
  return process.platform === 'linux' ? listProc() : listPs()
}

function listProc(): ListedProcess[] {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProc(name, boot))
    .filter((found) => found !== undefined)
}

function readProc(pid: string, boot: string): ListedProcess | undefined {
  const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8')
  try {
    const stat = read('stat')
    // The second field is a name in brackets that may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const isDead = fields[0] === 'Z' || fields[0] === 'X'
    return isDead
      ? undefined
      : {
          pid: Number(pid),
          parent: Number(fields[1]),
          started: `${boot}:${fields[19] ?? ''}`,
          command: `${read('cmdline')}${environmentOf(pid)}`.replaceAll('\0', ' ').trimEnd(),
        }
  } catch {
    // It has ended since it was listed.
    return undefined
  }
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    // It is another user's.
    return ''
  }
}

function listPs(): ListedProcess[] {
  const ps = spawnSync('ps', ['axeww', '-o', 'pid=,ppid=,lstart=,command='], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (ps.status !== 0) {
    throw new Error(
      `ps failed: ${ps.error?.message ?? `${String(ps.signal ?? ps.status)} ${ps.stderr}`}`,
    )
  }
  return ps.stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+((?:\S+\s+){4}\S+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, pid, parent, started, command]) => ({
      pid: Number(pid),
      parent: Number(parent),
      started: started ?? '',
      command: command ?? '',
    }))
    .filter(({ pid }) => pid !== ps.pid)
}

export function markOf(pid: number): ProcessMark | undefined {
  const found = listProcesses().find((process) => process.pid === pid)
  return found && { pid, started: found.started }
}

/** The processes of workerd that this process has started. */
export function ownWorkerds(): ProcessMark[] {
  return listProcesses().filter(isWorkerd).filter(isChild).map(toMark)
}

/** Every workerd that has this variable in its environment, whoever started it and whether that one still lives. */
export function workerdsWith(name: string, value: string): ProcessMark[] {
  return listProcesses()
    .filter(isWorkerd)
    .filter(({ command }) => `${command} `.includes(` ${name}=${value} `))
    .map(toMark)
}

export function isAlive(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.started === mark.started
}

/** Ends a process that an earlier start left behind, and waits until it is gone. */
export async function endProcess(mark: ProcessMark): Promise<void> {
  for (let attempt = 0; isAlive(mark); attempt += 1) {
    try {
      process.kill(mark.pid, attempt < 10 ? 'SIGTERM' : 'SIGKILL')
    } catch {
      // It is gone, or it is not ours to end; the next look tells.
    }
    if (attempt > 50) {
      throw new Error(`process ${mark.pid} does not end; stop it by hand and start again`)
    }
    await sleep(100)
  }
}

function isWorkerd({ command }: ListedProcess): boolean {
  return /^\S*workerd\s/.test(command)
}

function isChild({ parent }: ListedProcess): boolean {
  return parent === process.pid
}

function toMark({ pid, started }: ListedProcess): ProcessMark {
  return { pid, started }
}

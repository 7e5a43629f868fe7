import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** The operating system's processes: from /proc on Linux, from `ps` elsewhere. */

interface ProcessRow {
  pid: number
  group: number
  session: number
  /** Dead, and only waiting for its parent to notice. */
  zombie: boolean
}

const HAS_PROC = process.platform === 'linux'

/**
 * What tells this process from every other that has or had or will have its id: the boot and the moment of its start.
 * Undefined when there is no such process, or only its remains.
 */
export function processStart(pid: number): string | undefined {
  return HAS_PROC ? procStart(pid) : psStart(pid)
}

/** Whether the process that had this id and this start still runs. */
export function isRunning(pid: number, start: string): boolean {
  return processStart(pid) === start
}

/** The ids of the living processes of the group that `leader` has founded, and of its session. */
export function groupMembers(leader: number): number[] {
  return listProcesses()
    .filter((row) => (row.group === leader || row.session === leader) && !row.zombie)
    .map((row) => row.pid)
}

/** Sends a signal; a process or group that is no more is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) {
      throw error
    }
  }
}

function procStart(pid: number): string | undefined {
  const stat = procStat(pid)
  return stat === undefined || stat.zombie ? undefined : `${bootId()}:${stat.startTicks}`
}

function psStart(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
    })
    const [state, ...start] = text.trim().split(/\s+/)
    return state === undefined || state.startsWith('Z') ? undefined : start.join(' ')
  } catch {
    // ps ends with 1 when there is no such process.
    return undefined
  }
}

function listProcesses(): ProcessRow[] {
  return HAS_PROC ? listProc() : listPs()
}

function listProc(): ProcessRow[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => procStat(Number(name)) ?? [])
}

function listPs(): ProcessRow[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,pgid=,stat='], { encoding: 'utf8' })
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, group, state] = line.trim().split(/\s+/)
      const zombie = state?.startsWith('Z') ?? true
      return { pid: Number(pid), group: Number(group), session: Number.NaN, zombie }
    })
}

/** Reads `/proc/<pid>/stat`; its second field is a name in brackets that may itself hold spaces and brackets. */
function procStat(pid: number): (ProcessRow & { startTicks: string }) | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return {
      pid,
      group: Number(fields[2]),
      session: Number(fields[3]),
      zombie: fields[0] === 'Z' || fields[0] === 'X',
      startTicks: fields[19] ?? '',
    }
  } catch {
    // It has ended since it was listed.
    return undefined
  }
}

let knownBootId: string | undefined

function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return knownBootId
}

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FlowRun } from '#core/wire/flow-run.ts'
import type { FakeApi } from '../support/node/fake-api.ts'

const EXECUTE = new URL('./flows/execute.ts', import.meta.url).pathname
const FLOWS = new URL('./flows/flows.ts', import.meta.url).pathname

interface Ended {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

/** A real process; `ended` says how it ended. */
export interface Child {
  kill: (signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL') => void
  ended: Promise<Ended>
}

/** Starts `node script` with only this environment. */
export function startChild(script: string, environment: Record<string, string>): Child {
  const child = spawn(process.execPath, [script], {
    env: { PATH: process.env['PATH'] ?? '', HEADGATE_HOME: '/nonexistent', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { kill: (signal) => child.kill(signal), ended }
}

/** Starts a run's process as the agent does: its context in a file, its entrypoint in the deployment. */
export async function startAsAgent(api: FakeApi, run: FlowRun, exportName: string): Promise<Child> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-sdk-'))
  const file = join(folder, 'context.json')
  await writeFile(file, JSON.stringify(api.contextOf(run, `${FLOWS}:${exportName}`)))
  const child = startChild(EXECUTE, { ...api.environment(), HEADGATE_RUN_CONTEXT: file })
  return {
    kill: child.kill,
    ended: child.ended.then(async (end) => {
      await rm(folder, { recursive: true })
      return end
    }),
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!holds()) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain until ${what}`)
    }
    // oxlint-disable-next-line no-await-in-loop -- polls
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

import { afterEach, beforeEach, onTestFailed } from 'vitest'
import { isRunning, processStart } from '../../../agent/infra/process-table.ts'
import { AgentProcess, type AgentProcessOptions } from './agent-process.ts'
import { FakeControlPlane, type PlacedRun } from './fake-control-plane.ts'
import { until } from './until.ts'

/** A far end and real agents for each test of a file; both end with the test. */
export class AgentFixture {
  plane = new FakeControlPlane()
  #agents: AgentProcess[] = []

  constructor() {
    beforeEach(async () => {
      this.plane = new FakeControlPlane()
      this.#agents = []
      await this.plane.start()
      onTestFailed(() => {
        process.stderr.write(this.#agents.map((agent) => agent.said).join('\n---\n'))
      })
    })
    afterEach(async () => {
      await Promise.all(this.#agents.map((agent) => agent.dispose()))
      await this.plane.stop()
    }, 30_000)
  }

  async startAgent(options?: AgentProcessOptions): Promise<AgentProcess> {
    const agent = await AgentProcess.start(this.plane, options)
    this.#agents.push(agent)
    return agent
  }

  /** Resolves when the agent has nothing to do and waits at the doorbell. */
  async isWaiting(): Promise<void> {
    await until('the agent waits at the doorbell', () => this.plane.doorbells.length === 1)
  }

  async hasSaid(run: PlacedRun, line: string): Promise<void> {
    await until(`the run says ${line}`, () => this.plane.logLines(run).includes(line))
  }

  /** The process of a run that says its id first. */
  async processOf(run: PlacedRun): Promise<{ pid: number; isAlive: () => boolean }> {
    await until('the run says its process id', () => this.plane.logLines(run).length > 0)
    const pid = Number(this.plane.logLines(run)[0])
    const start = processStart(pid) ?? ''
    return { pid, isAlive: () => isRunning(pid, start) }
  }
}

/** A run that executes this for a POSIX shell; without single quotes. */
export function shell(script: string) {
  return { job_configuration: { command: `sh -c '${script}'` } }
}

/** A run whose code is fetched by this script. */
export function fetchedBy(script: string) {
  const step = { 'prefect.deployments.steps.run_shell_script': { script } }
  return { ...shell('echo never'), deployment: { pull_steps: [step] } }
}

/** Says its process id, and ends when SIGTERM comes. */
export const LONG = 'echo $$; trap "exit 0" TERM; while :; do sleep 0.1; done'
/** Says its process id, and does not mind SIGTERM. */
export const STUBBORN = 'echo $$; trap "" TERM; while :; do sleep 0.1; done'

export async function hasEnded(...runs: PlacedRun[]): Promise<void> {
  await until('the runs end', () => runs.every((run) => run.stage === 'ended'))
}

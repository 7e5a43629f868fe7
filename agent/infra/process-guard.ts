import { realpath } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import type { ClaimedRun } from '../../core/wire/execution.ts'
import type { RunFolder } from '../run-folder.ts'
import { type PolicyJob, policyRefusal } from '../trust/policy.ts'
import type { HostPolicy } from '../trust/policy-file.ts'
import { RefusedRun } from './driver.ts'
import { findProgram } from './find-program.ts'
import type { ProcessSpec } from './process-spec.ts'

export interface GuardFacts {
  policy: HostPolicy | undefined
  claimed: ClaimedRun
  folder: RunFolder
  spec: ProcessSpec
  /** The agent's own. */
  hostPath: string
}

/** Asks the host's policy, before anything of a run is done and again as soon as more is known. Without a policy all is allowed. */
export class ProcessGuard {
  readonly #facts: GuardFacts

  constructor(facts: GuardFacts) {
    this.#facts = facts
  }

  /**
   * Before anything is done: all that the job says.
   * @throws RefusedRun that names rule and file
   */
  async admitJob(): Promise<void> {
    const { policy, claimed, spec } = this.#facts
    if (policy === undefined) {
      return
    }
    const { job_configuration: job } = claimed
    const [program] = spec.command
    const { path } = spec
    const directories = spec.workingDirectory === undefined ? [] : [spec.workingDirectory]
    const steps = spec.pullSteps.map((step) => toStep(step))
    await this.#ask({
      // A program that a pull step brings is judged when it is there.
      ...(program.includes('/') && !isAbsolute(program) ? {} : this.#command('/', path)),
      image: typeof job['image'] === 'string' ? job['image'] : undefined,
      directories,
      environment: [...jobVariables(job['env']), ...steps.flatMap(({ variables }) => variables)],
      pullSteps: steps,
    })
  }

  /** Before a pull step works in a folder. */
  async admitDirectory(path: string): Promise<void> {
    await this.#ask({ directories: [path] })
  }

  /** Before a pull step clones; its address has no placeholders any more. */
  async admitRepository(repository: string): Promise<void> {
    await this.#ask({ pullSteps: [{ name: 'git_clone', repository }] })
  }

  /** Right before the start: the program that is executed, where, and the file that our engines would load. */
  async admitStart(cwd: string): Promise<void> {
    const { spec } = this.#facts
    const entry = spec.loads === undefined ? [] : [resolve(cwd, spec.loads)]
    await this.#ask({ ...this.#command(cwd, spec.path), directories: [cwd, ...entry] })
  }

  #command(cwd: string, path: string): Pick<PolicyJob, 'command'> {
    const { spec, hostPath } = this.#facts
    const [name] = spec.command
    if (spec.isOurs) {
      const words = ['headgate', 'flow-run', 'execute'] as const
      return { command: { words, program: spec.command[1] ?? '', fromHost: true } }
    }
    const program = findProgram(name, path, cwd)
    return program === undefined
      ? {}
      : {
          command: {
            words: spec.command,
            program,
            fromHost: program === findProgram(name, hostPath, cwd),
          },
        }
  }

  async #ask(known: Partial<PolicyJob>): Promise<void> {
    const { policy, folder } = this.#facts
    if (policy === undefined) {
      return
    }
    const refusal = policyRefusal(policy.rules, {
      environment: [],
      pullSteps: [],
      ...known,
      directories: await Promise.all((known.directories ?? []).map(real)),
      ownFolder: await real(folder.path),
    })
    if (refusal !== undefined) {
      throw new RefusedRun(
        `Refused by the policy of the agent's host: rule '${refusal.rule}' of ${policy.path} does not allow ${refusal.reason}. Change the deployment, or have whoever runs the host change the policy.`,
      )
    }
  }
}

/** Without symbolic links; what is not there can't be started in, and says so elsewhere. */
async function real(path: string): Promise<string> {
  return await realpath(path).catch(() => resolve(path))
}

function jobVariables(env: unknown): string[] {
  return typeof env === 'object' && env !== null ? Object.keys(env) : []
}

function toStep(step: Record<string, unknown>): { name: string; variables: string[] } {
  const [key = '', input] = Object.entries(step)[0] ?? []
  const env = typeof input === 'object' && input !== null && 'env' in input ? input.env : {}
  return { name: key.replace(/^prefect\.deployments\.steps\./, ''), variables: jobVariables(env) }
}

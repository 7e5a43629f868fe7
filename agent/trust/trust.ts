import { access } from 'node:fs/promises'
import type { ClaimedRun } from '../../core/wire/execution.ts'
import type { AgentLog } from '../agent-log.ts'
import { sentence } from '../calls.ts'
import { EXIT } from '../exit-codes.ts'
import { FatalError } from '../fatal-error.ts'
import { HostFileError } from './host-file.ts'
import { signatureFault, type TrustedKeys } from './judge-signature.ts'
import { type HostPolicy, POLICY_PATH, readPolicy } from './policy-file.ts'
import { readTrustedKeys } from './trusted-keys.ts'

/** What a run becomes whose deployment is not signed as it must be: refused, or run and talked about. */
export type SignatureMode = 'block' | 'warn'

export interface TrustOptions {
  /** A file with public keys, or a folder of such files. */
  trustedKeys?: string | undefined
  /** Default: `block` where there are trusted keys; without keys signatures are not looked at. */
  signatures?: SignatureMode | undefined
  /** The policy file. Default: `/etc/headgate/policy.yaml`, if there is one. */
  policy?: string | undefined
}

/** What this host lets the control plane do, from files that lie on it. */
export class Trust {
  readonly #pool: string
  readonly #options: TrustOptions
  readonly #mode: SignatureMode | undefined
  #keys: TrustedKeys = new Map()
  #policy: HostPolicy | undefined

  private constructor(pool: string, options: TrustOptions) {
    this.#pool = pool
    this.#options = options
    this.#mode = options.signatures ?? (options.trustedKeys === undefined ? undefined : 'block')
  }

  /** @throws FatalError with the code `usage` when what it is to obey can't be read or says nothing that makes sense */
  static async load(pool: string, options: TrustOptions): Promise<Trust> {
    if (options.signatures !== undefined && options.trustedKeys === undefined) {
      throw new FatalError(
        EXIT.usage,
        `--signatures ${options.signatures} needs keys to check them by: --trusted-keys FILE, or HEADGATE_TRUSTED_KEYS`,
      )
    }
    const trust = new Trust(pool, options)
    try {
      await trust.#read()
    } catch (error) {
      throw error instanceof HostFileError ? new FatalError(EXIT.usage, error.message) : error
    }
    return trust
  }

  /** Reads the files anew, on SIGHUP; when they are broken, what held before holds on. */
  async reload(log: AgentLog): Promise<void> {
    try {
      await this.#read()
      log.info(`read anew: ${this.summary}`)
    } catch (error) {
      log.error('what this host allows could not be read anew; what held before holds on', {
        error: sentence(error),
      })
    }
  }

  get policy(): HostPolicy | undefined {
    return this.#policy
  }

  /** There is something to obey. */
  get isActive(): boolean {
    return this.#mode !== undefined || this.#policy !== undefined
  }

  get summary(): string {
    const { trustedKeys } = this.#options
    const parts = [
      ...(this.#policy === undefined ? [] : [`policy ${this.#policy.path}`]),
      ...(this.#mode === undefined
        ? []
        : [`signatures: ${this.#mode}, by ${this.#keys.size} trusted keys of ${trustedKeys}`]),
    ]
    return parts.join('; ')
  }

  /** How many runs at once, of those that the agent would take. */
  limit(asked: number): number {
    return Math.min(asked, this.#policy?.rules.resources?.max_runs ?? asked)
  }

  /** How long a run may take, with the words for one that has taken longer. */
  get maxRunSeconds(): { seconds: number; rule: string } | undefined {
    const seconds = this.#policy?.rules.resources?.max_run_seconds
    return seconds === undefined
      ? undefined
      : {
          seconds,
          rule: `the policy of the agent's host lets a run take ${seconds} s (rule 'resources.max_run_seconds' of ${this.#policy?.path})`,
        }
  }

  /**
   * What was judged must be what is run: nothing that a run's process would ask the API for again may decide which code
   * it loads.
   */
  get pins(): boolean {
    const { images: _, resources: __, ...ofCode } = this.#policy?.rules ?? {}
    return this.#mode === 'block' || Object.values(ofCode).some((rule) => rule !== undefined)
  }

  /** What is wrong with a claimed run's signature: a reason to refuse it, or one to warn of it. */
  judge(claimed: ClaimedRun): { refusal?: string; warning?: string } {
    const fault =
      this.#mode === undefined ? undefined : signatureFault(claimed, this.#pool, this.#keys)
    if (fault === undefined) {
      return {}
    }
    return this.#mode === 'block'
      ? { refusal: `Refused by the agent, which runs signed deployments only: ${fault}` }
      : { warning: `The agent would refuse this run if it blocked unsigned ones: ${fault}` }
  }

  async #read(): Promise<void> {
    const { trustedKeys, policy } = this.#options
    const path = policy ?? ((await isThere(POLICY_PATH)) ? POLICY_PATH : undefined)
    // Both or neither: half of a change must not hold.
    const [keys, rules] = await Promise.all([
      trustedKeys === undefined ? new Map() : readTrustedKeys(trustedKeys),
      path === undefined ? undefined : readPolicy(path),
    ])
    this.#keys = keys
    this.#policy = rules
  }
}

/** A file that is there and can't be looked at is one to complain of, and none to do without. */
async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
}

import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Client } from '../core/client.ts'
import { EXIT } from './exit-codes.ts'
import { FatalError } from './fatal-error.ts'
import type { TrustOptions } from './trust/trust.ts'

/** What `headgate agent start` gives. */
export interface AgentOptions extends TrustOptions {
  client: Client
  pool: string
  /** The token of an enrolment, by which the agent gets a key of its own unless it has one. */
  enrol?: string | undefined
  /** Absent or empty: all queues of the pool. */
  queues?: string[] | undefined
  /** How many runs at once; absent: as many as one renewal can carry. */
  limit?: number | undefined
  /** Default: the host's name. With API and pool it makes the agent's identity, kept over restarts. */
  name?: string | undefined
  /** `$HEADGATE_HOME`: an absolute path. The agent's state is in `agents/` below. */
  home: string
  /** The version that the agent tells the API. */
  version: string
  /** Absolute path of the `headgate` script: TypeScript flows are run by `node <script> flow-run execute`. */
  headgateScript: string
  /** The agent's own lines as JSON. */
  json?: boolean | undefined
  /** Where its own lines go. Default: standard error. */
  write?: ((line: string) => void) | undefined
}

export interface AgentConfig {
  client: Client
  pool: string
  queues: string[] | undefined
  limit: number
  name: string
  agentsFolder: string
  version: string
  headgateScript: string
}

/** One renewal names at most this many executions (`core/wire/execution.ts`). */
export const MAX_RUNS = 1000

/** Fills in the defaults. Throws a FatalError with the code `usage` where the options make no sense. */
export function agentConfig(options: AgentOptions): AgentConfig {
  const limit = options.limit ?? MAX_RUNS
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_RUNS) {
    throw usage(`--limit must be a whole number from 1 to ${MAX_RUNS}, got ${limit}`)
  }
  if (options.pool.trim() === '') {
    throw usage('--pool needs the name of a work pool')
  }
  if (process.platform === 'win32') {
    throw usage('the agent runs on Linux and macOS only; on Windows, start it inside WSL')
  }
  const name = options.name ?? defaultName(hostname())
  if (name === '' || name.length > 255 || /[/%&><]/.test(name)) {
    throw usage(`--name must be 1 to 255 characters without / % & > <, got '${name}'`)
  }
  return {
    client: options.client,
    pool: options.pool,
    queues: options.queues !== undefined && options.queues.length > 0 ? options.queues : undefined,
    limit,
    name,
    agentsFolder: join(options.home, 'agents'),
    version: options.version,
    headgateScript: options.headgateScript,
  }
}

function defaultName(host: string): string {
  const cleaned = host.replaceAll(/[/%&><]/g, '-').slice(0, 255)
  return cleaned === '' ? 'agent' : cleaned
}

function usage(message: string): FatalError {
  return new FatalError(EXIT.usage, message)
}

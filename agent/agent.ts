import { setMaxListeners } from 'node:events'
import type { ExecutionKey } from '../core/wire/execution.ts'
import type { WorkPool } from '../core/wire/work-pool.ts'
import { type AgentLog, agentLog } from './agent-log.ts'
import { callPersistently, sentence } from './calls.ts'
import { ApiError } from '../core/client.ts'
import type { Credential } from './credential.ts'
import { type AgentConfig, agentConfig, type AgentOptions, MAX_RUNS } from './config.ts'
import { Doorbell } from './doorbell.ts'
import { ownKey } from './enrol.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { FatalError } from './fatal-error.ts'
import { Finishes } from './finishes.ts'
import { type Identity, takeIdentity } from './identity.ts'
import type { Driver } from './infra/driver.ts'
import { driverTypes, findDriver } from './infra/registry.ts'
import { Leases } from './leases.ts'
import { poll } from './poll.ts'
import { disown, type Recovered, recover } from './recover.ts'
import type { RunContextOfAgent } from './run.ts'
import { Runs } from './runs.ts'
import { type Ladder, stopLadder } from './stop-ladder.ts'
import { Trust } from './trust/trust.ts'
import { within } from './within.ts'

/** A drained agent waits so long for the API to take the last ends; after that the next start reports them. */
const LAST_REPORTS_MS = 60_000
/** And so long for output that is still unsent. */
const LAST_OUTPUT_MS = 10_000

/**
 * Serves a work pool until it is told to stop: the first SIGTERM or SIGINT drains, the second cancels what runs, the third
 * kills it. Runs survive the death of this process; the next start with the same API, pool and name goes on with them.
 * @returns the code that the process is to exit with; never rejects
 */
export async function startAgent(options: AgentOptions): Promise<ExitCode> {
  const log = agentLog({
    json: options.json ?? false,
    write: options.write ?? writeToStandardError,
  })
  try {
    const config = agentConfig(options)
    const trust = await Trust.load(config.pool, options)
    const identity = await takeIdentity({
      agentsFolder: config.agentsFolder,
      apiUrl: config.client.apiUrl,
      pool: config.pool,
      name: config.name,
    })
    try {
      const { client, pool, name } = config
      const key = await ownKey({ client, pool, name, token: options.enrol }, identity, log)
      return await serve(
        key === undefined ? config : { ...config, client: key.over(client) },
        identity,
        { trust, key },
        log,
      )
    } finally {
      await identity.release()
    }
  } catch (error) {
    log.error(sentence(error))
    return error instanceof FatalError ? error.exitCode : EXIT.failure
  }
}

function writeToStandardError(line: string): void {
  if (process.stderr.listenerCount('error') === 0) {
    // Who reads the log may go away; the agent stays.
    process.stderr.on('error', () => undefined)
  }
  process.stderr.write(line)
}

async function serve(
  config: AgentConfig,
  identity: Identity,
  { trust, key }: { trust: Trust; key: Credential | undefined },
  log: AgentLog,
): Promise<ExitCode> {
  const limit = trust.limit(config.limit)
  log.info(
    `agent ${config.name} serves pool ${config.pool} at ${config.client.apiUrl}, ${limit === MAX_RUNS ? 'no limit' : `limit ${limit}`}`,
    { queues: config.queues?.join(','), agent: identity.agentId, version: config.version },
  )
  if (trust.isActive) {
    log.info(trust.summary)
  }
  const end = new AbortController()
  // Each run listens to it.
  setMaxListeners(0, end.signal)
  const fatal = Promise.withResolvers<never>()
  const runs = new Runs(limit)
  const shared = shareAmongRuns(config, identity, {
    log,
    runs,
    maxRunSeconds: () => trust.maxRunSeconds,
    onFatal: fatal.reject,
    signal: end.signal,
  })
  const ladder = stopLadder(runs, log)
  const obeyAnew = async () => {
    await trust.reload(log)
    runs.limit = trust.limit(config.limit)
  }
  const readAnew = () => void obeyAnew()
  if (trust.isActive) {
    process.on('SIGHUP', readAnew)
  }
  try {
    // It ends with the signal; a key that can't be replaced is met by all others.
    void key?.keepFresh(config.client, { log, what: 'replace the key', signal: end.signal })
    const recovered = await recover(shared, identity.runsFolder, log)
    const working = work(config, identity, log, { shared, trust }, ladder, recovered)
    await Promise.race([working, ladder.killed, fatal.promise])
    if (ladder.wasKilled) {
      return EXIT.interrupted
    }
    log.info('agent has stopped')
    return EXIT.ok
  } finally {
    process.off('SIGHUP', readAnew)
    ladder.dismantle()
    end.abort()
  }
}

function shareAmongRuns(
  { client, pool }: AgentConfig,
  { agentId }: Identity,
  given: Omit<RunContextOfAgent, 'client' | 'finishes'>,
): RunContextOfAgent {
  const { log, signal } = given
  const finishes = new Finishes({ client, log, pool, agentId, signal })
  return { ...given, client, finishes }
}

/** Runs the loops; resolves when the agent is drained. */
async function work(
  config: AgentConfig,
  { agentId, runsFolder }: Identity,
  log: AgentLog,
  { shared, trust }: { shared: RunContextOfAgent; trust: Trust },
  ladder: Ladder,
  recovered: Recovered,
): Promise<void> {
  const { client, pool, queues, headgateScript } = config
  const { runs } = shared
  const limit = trust.limit(config.limit)
  const agent = {
    agent_id: agentId,
    name: config.name,
    version: config.version,
    limit: limit === MAX_RUNS ? null : limit,
  }
  const onMissing = (missing: ExecutionKey[]) => {
    void disown(shared, runsFolder, missing)
  }
  const leases = new Leases({ client, log, pool, agent, runs, onMissing })
  const doorbell = new Doorbell({
    client,
    log,
    pool,
    queues,
    agentId,
    agentName: config.name,
    onRenew: () => leases.renewNow(),
    signal: shared.signal,
  })
  const taking = async () => {
    const served = await findServed(config, log, ladder.draining, recovered)
    if (served !== undefined) {
      const signal = ladder.draining
      const link = { client, log, pool, agent, runs, queues, doorbell, leases, signal }
      await poll({ ...link, ...served, runsFolder, headgateScript, trust, shared })
    }
  }
  const polling = async () => {
    const gone = await taking().catch(toGone)
    if (gone !== undefined) {
      log.error(`${gone.message}: taking no more runs`, { left: runs.all().length })
    }
    await drain(runs, shared.signal)
    if (gone !== undefined) {
      throw gone
    }
  }
  // The renewals end by a fault only: they go on until the last run is reported.
  const renewing = leases.run(shared.signal).then(() => new Promise<never>(() => undefined))
  await Promise.race([polling(), renewing])
}

/** Its pool is gone: the runs that the agent has are brought to their end before it ends itself. Else throws. */
function toGone(error: unknown): FatalError {
  if (
    error instanceof FatalError &&
    (error.exitCode === EXIT.gone || error.exitCode === EXIT.notFound)
  ) {
    return error
  }
  throw error
}

/** The pool and the driver of its type. Undefined when the agent is told to stop before the API has answered. */
async function findServed(
  { client, pool }: AgentConfig,
  log: AgentLog,
  signal: AbortSignal,
  recovered: Recovered,
): Promise<{ driver: Driver; workPoolId: string } | undefined> {
  const found = await readPool()
  if (found === undefined) {
    return undefined
  }
  const driver = findDriver(found.type)
  if (driver === undefined) {
    throw new FatalError(
      EXIT.usage,
      `work pool '${pool}' is of type '${found.type}'; this agent can run: ${driverTypes().join(', ')}`,
    )
  }
  return { driver, workPoolId: found.id }

  async function readPool(): Promise<WorkPool | undefined> {
    const hasRuns = recovered.adopted + recovered.ended > 0
    try {
      return await callPersistently(() => client.readWorkPool(pool), {
        log,
        what: `reach ${client.apiUrl}`,
        signal,
      })
    } catch (error) {
      if (signal.aborted) {
        return undefined
      }
      if (error instanceof ApiError && error.status === 404) {
        throw hasRuns
          ? new FatalError(EXIT.gone, `work pool '${pool}' was deleted`)
          : new FatalError(
              EXIT.notFound,
              `work pool '${pool}' does not exist; make it with: headgate work-pool create ${pool} --type process`,
            )
      }
      throw error
    }
  }
}

/** No more runs are taken: waits for the end of those that are there, and for the API to know it. */
async function drain(runs: Runs, signal: AbortSignal): Promise<void> {
  const held = runs.all()
  await runs.until(() => runs.all().every((run) => !run.occupies), signal)
  await within(
    LAST_REPORTS_MS,
    runs.until(() => runs.all().length === 0, signal),
  )
  await within(LAST_OUTPUT_MS, Promise.all(held.map((run) => run.settled)))
}

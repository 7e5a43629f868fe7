import type { Client } from '../core/client.ts'
import type { AgentLog } from './agent-log.ts'
import { callPersistently } from './calls.ts'
import { agentConfig, type AgentOptions } from './config.ts'
import { Credential } from './credential.ts'
import { EXIT } from './exit-codes.ts'
import { FatalError } from './fatal-error.ts'
import { type Identity, takeIdentity } from './identity.ts'

/** Who is to get in, and by what. */
interface Applicant {
  client: Client
  pool: string
  name: string
  /** Undefined: nobody but an agent that has got in before has a key of its own. */
  token: string | undefined
}

/**
 * The key that the agent has for itself; undefined where it never got one, and goes on with that of its profile. A token is used
 * where there is no key yet, or where the API knows it no more: so a supervisor may show the same one at each start.
 */
export async function ownKey(
  { client, pool, name, token }: Applicant,
  { credentialFile }: Identity,
  log: AgentLog,
): Promise<Credential | undefined> {
  const credential = await Credential.open(credentialFile)
  const call = { log, what: `reach ${client.apiUrl}`, signal: new AbortController().signal }
  try {
    await credential.settle(client, call)
    if (credential.isThere && token !== undefined) {
      await callPersistently(() => credential.over(client).readWorkPool(pool), call)
    }
  } catch (error) {
    if (token !== undefined && error instanceof FatalError && error.exitCode === EXIT.notSignedIn) {
      await credential.forget()
    } else if (error instanceof FatalError) {
      throw error
    }
    // What else is wrong, such as a pool that is not there, the agent meets itself.
  }
  if (!credential.isThere && token !== undefined) {
    await credential.enrol(client, token, name, call)
    log.info('enrolled: this agent has a key of its own')
  }
  return credential.isThere ? credential : undefined
}

/** Gets an agent its key without starting it. @throws FatalError */
export async function enrolAgent(
  options: AgentOptions & { enrol: string },
  log: AgentLog,
): Promise<{ agentId: string; name: string }> {
  const { client, pool, name, agentsFolder } = agentConfig(options)
  const { apiUrl } = client
  const identity = await takeIdentity({ agentsFolder, apiUrl, pool, name })
  try {
    await ownKey({ client, pool, name, token: options.enrol }, identity, log)
    return { agentId: identity.agentId, name }
  } finally {
    await identity.release()
  }
}

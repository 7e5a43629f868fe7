import { createHash, randomBytes } from 'node:crypto'
import { link, mkdir, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { uuidV7 } from '../core/uuid.ts'
import { EXIT } from './exit-codes.ts'
import { FatalError } from './fatal-error.ts'
import { isRunning, processStart } from './infra/process-table.ts'
import { parseJson, readText } from './run-folder.ts'

/** Who this agent is over all its restarts, and the folder where it keeps what it must not forget. */
export interface Identity {
  agentId: string
  runsFolder: string
  /** Where the key is that it has got for itself (`credential.ts`). */
  credentialFile: string
  /** Lets another process take over the identity. */
  release(): Promise<void>
}

export interface IdentityFacts {
  agentsFolder: string
  apiUrl: string
  pool: string
  name: string
}

interface Holder {
  pid: number
  start: string
}

/**
 * Finds or makes the agent's id of an API, pool and name, and locks it for this process.
 * Throws a FatalError `identityInUse` when a living process holds it; a dead one's lock is taken over.
 */
export async function takeIdentity(facts: IdentityFacts): Promise<Identity> {
  await mkdir(facts.agentsFolder, { recursive: true, mode: 0o700 })
  const agentId = await findOrMakeId(facts)
  const folder = join(facts.agentsFolder, agentId)
  const runsFolder = join(folder, 'runs')
  await mkdir(runsFolder, { recursive: true, mode: 0o700 })
  const lock = join(folder, 'lock')
  await takeLock(lock, facts)
  return {
    agentId,
    runsFolder,
    credentialFile: join(folder, 'credential.json'),
    release: () => rm(lock, { force: true }),
  }
}

async function findOrMakeId({ agentsFolder, apiUrl, pool, name }: IdentityFacts): Promise<string> {
  const key = createHash('sha256').update([apiUrl, pool, name].join('\n')).digest('hex')
  const path = join(agentsFolder, `${key.slice(0, 24)}.json`)
  const known = await readId(path)
  if (known !== undefined) {
    return known
  }
  const agentId = uuidV7(Date.now(), randomBytes(10))
  const text = JSON.stringify({ agent_id: agentId, api_url: apiUrl, pool, name })
  // Of two that start together one makes the file, and the other finds it.
  await publish(path, text)
  return (await readId(path)) ?? agentId
}

async function readId(path: string): Promise<string | undefined> {
  const text = await readText(path)
  const body = text === undefined ? undefined : parseJson(text)
  const isObject = typeof body === 'object' && body !== null
  return isObject && 'agent_id' in body && typeof body.agent_id === 'string'
    ? body.agent_id
    : undefined
}

async function takeLock(lock: string, { pool, name }: IdentityFacts): Promise<void> {
  const mine = JSON.stringify({ pid: process.pid, start: processStart(process.pid) ?? '' })
  while (!(await publish(lock, mine))) {
    const found = await readText(lock)
    const holder = found === undefined ? undefined : (parseJson(found) as Holder | undefined)
    if (holder !== undefined && isRunning(holder.pid, holder.start)) {
      throw new FatalError(
        EXIT.identityInUse,
        `agent '${name}' of work pool '${pool}' already runs on this host (process ${holder.pid}); stop it, or give this one another --name`,
      )
    }
    await removeStale(lock, found)
  }
}

/** Takes a dead holder's lock away, and puts it back if a third process has replaced it in the meantime. */
async function removeStale(lock: string, stale: string | undefined): Promise<void> {
  const aside = `${lock}.${process.pid}`
  try {
    await rename(lock, aside)
  } catch {
    // Already taken away: by its holder or by another starter.
    return
  }
  const taken = await readText(aside)
  if (taken !== undefined && taken !== stale) {
    await publish(lock, taken)
  }
  await rm(aside, { force: true })
}

/** Makes a whole file at once; false when there is one already. */
async function publish(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  await writeFile(temporary, text, { mode: 0o600 })
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      return false
    }
    throw error
  } finally {
    await unlink(temporary)
  }
}

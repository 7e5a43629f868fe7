import type { AgentLog } from './agent-log.ts'
import { findRecoverable } from './infra/registry.ts'
import { Run, type RunContextOfAgent } from './run.ts'
import {
  isAcknowledged,
  listRunFolders,
  readContext,
  removeRunFolder,
  type RunFolder,
} from './run-folder.ts'

export interface Recovered {
  /** Runs that go on under this process. */
  adopted: number
  /** Runs whose end is still to be reported. */
  ended: number
}

/**
 * Takes over what an earlier process of this agent has left on the disk. It may have died at any point, so a folder is found
 * in one of these states:
 * - without context: it died while it wrote the claim down, before it could accept. Removed; the run goes back to its queue.
 * - with context, without handle: claimed, perhaps accepted, nothing executed. Its end is reported as not started; `stale` is
 *   a fine answer to that.
 * - with a handle, the infrastructure alive: adopted. The next renewal tells whether it may go on (`stop`: it is killed).
 * - with a handle, the infrastructure gone: its end is read from what the supervisor wrote (nothing: it was killed) and
 *   reported. A supervisor that is gone while its command lives on counts as gone; the command is killed.
 * - acknowledged: only output may be unsent. It is sent, then the folder is removed.
 */
export async function recover(
  shared: RunContextOfAgent,
  runsFolder: string,
  log: AgentLog,
): Promise<Recovered> {
  const recovered: Recovered = { adopted: 0, ended: 0 }
  for (const folder of await listRunFolders(runsFolder)) {
    await recoverOne(shared, folder, recovered)
  }
  if (recovered.adopted > 0 || recovered.ended > 0) {
    log.info('found runs of an earlier start', { ...recovered })
  }
  return recovered
}

async function recoverOne(
  shared: RunContextOfAgent,
  folder: RunFolder,
  recovered: Recovered,
): Promise<void> {
  const context = await readContext(folder)
  if (context === undefined) {
    await removeRunFolder(folder)
    return
  }
  const run = new Run(shared, folder, context.flow_run.name)
  if (await isAcknowledged(folder)) {
    void run.cleanUp()
    return
  }
  const infrastructure = await findRecoverable(folder)
  shared.runs.add(run)
  run.adopt(infrastructure)
  if (infrastructure?.isAlive() === true) {
    recovered.adopted += 1
  } else {
    recovered.ended += 1
  }
}

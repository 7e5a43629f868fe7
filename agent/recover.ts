import type { ExecutionKey } from '../core/wire/execution.ts'
import type { AgentLog } from './agent-log.ts'
import { sentence } from './calls.ts'
import { findRecoverable } from './infra/registry.ts'
import { Run, type RunContextOfAgent } from './run.ts'
import {
  isAcknowledged,
  listRunFolders,
  readContext,
  removeRunFolder,
  runFolder,
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

/**
 * Reports the end of executions that the API believes to be here and that are not: neither taken by this process nor on its
 * disk, where each is written down before it is accepted. Their processes are gone, or fence themselves.
 */
export async function disown(
  { runs, finishes, log, signal }: RunContextOfAgent,
  runsFolder: string,
  executions: ExecutionKey[],
): Promise<void> {
  const onDisk = new Set((await listRunFolders(runsFolder)).map(({ path }) => path))
  const missing = executions.filter(
    ({ flow_run_id, fence }) =>
      runs.find(flow_run_id, fence) === undefined &&
      !onDisk.has(runFolder(runsFolder, flow_run_id, fence).path),
  )
  for (const execution of missing) {
    log.warn('a run that should be here is not; its end is reported', { ...execution })
    const message = 'Its agent has nothing of it any more.'
    await finishes.report({ ...execution, message, interrupted: true }).catch((error: unknown) => {
      // Asked again, it is tried again.
      if (!signal.aborted) {
        log.error('the end of a missing run could not be reported', { error: sentence(error) })
      }
    })
  }
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

import type { Finding, FindingKind } from '#core/wire/diagnostics.ts'
import type { TaskRunRecord } from '#domain/task-run.ts'
import { replicaRow, upsertReplicas } from '#storage/replica.ts'
import { taskRun } from '#storage/schema/runs.ts'
import { readTaskRunVersions } from '#storage/versions.ts'
import type { Workspace } from '#storage/workspace.ts'
import type { TaskRunStore } from './event-stream-store.ts'
import type { Flusher } from './flush.ts'
import type { Checked } from './home-diagnosis.ts'

export type StreamPart = 'departed' | 'task_runs'

interface Surroundings {
  workspace: Workspace
  store: TaskRunStore
  flusher: Flusher
  /** Has it written to the store again. */
  tellAgain: (run: TaskRunRecord) => void
}

const PAGE_RUNS = 250

/** Compares a stream's task runs with the store; what is in flight is no difference. */
export async function diagnoseTaskRuns(
  stream: Surroundings,
  part: StreamPart,
  after: string | null,
  repair: boolean,
): Promise<Checked> {
  return part === 'departed'
    ? await checkDeparted(stream, Number(after ?? 0), repair)
    : await checkPresent(stream, after ?? '', repair)
}

async function checkPresent(
  stream: Surroundings,
  after: string,
  repair: boolean,
): Promise<Checked> {
  const { store, workspace } = stream
  const page = ofLivingFlowRuns(store, store.page(after, PAGE_RUNS))
  const ids = page.map(({ id }) => id)
  const first = await readTaskRunVersions(workspace, ids)
  const suspects = page.filter(({ id, seq }) => (first.get(id) ?? -1) < seq)
  if (suspects.length > 0) {
    await flush(stream)
  }
  const stored = suspects.length > 0 ? await readTaskRunVersions(workspace, ids) : first
  // Deleted, joined with another, or moved on meanwhile: then it is no difference.
  const behind = suspects.filter(
    ({ id, seq }) => (stored.get(id) ?? -1) < seq && store.find(id)?.deleted === false,
  )
  const ahead = page.filter(({ id }) => (first.get(id) ?? -1) > (store.find(id)?.seq ?? Infinity))
  let now = stored
  if (repair && behind.length > 0) {
    for (const { id } of behind) {
      const run = store.find(id)
      if (run !== undefined) {
        stream.tellAgain(run)
      }
    }
    await flush(stream)
    now = await readTaskRunVersions(workspace, ids)
  }
  return {
    checked: page.length,
    next: store.page(after, PAGE_RUNS).at(PAGE_RUNS - 1)?.id ?? null,
    findings: [
      ...behind.map((run) => ({
        ...toFinding('task_run_behind', run, stored),
        repaired: (now.get(run.id) ?? -1) >= run.seq,
        what_to_do:
          'Repair writes the task run to D1 again. If it stays, D1 refuses the row: see the logs.',
      })),
      ...ahead.map((run) => ({
        ...toFinding('task_run_ahead', run, first),
        repaired: false,
        what_to_do: 'The stream was restored to an earlier time; D1 keeps the later version.',
      })),
    ],
  }
}

async function checkDeparted(
  stream: Surroundings,
  after: number,
  repair: boolean,
): Promise<Checked> {
  const { store, workspace } = stream
  const departure = store.departed.next(after)
  if (departure === undefined) {
    return { checked: 0, next: null, findings: [] }
  }
  const records = ofLivingFlowRuns(store, departure.records)
  const stored = await readTaskRunVersions(
    workspace,
    records.map(({ id }) => id),
  )
  const behind = records.filter(({ id, seq, deleted }) => !deleted && (stored.get(id) ?? -1) < seq)
  if (repair && behind.length > 0) {
    const rows = behind.map((run) => replicaRow(taskRun, { ...run, workspace_id: workspace.id }))
    await upsertReplicas(workspace.database, taskRun, JSON.stringify(rows), rows.length)
  }
  return {
    checked: departure.records.length,
    next: String(departure.chunk),
    findings: behind.map((run) => ({
      ...toFinding('ended_task_run_behind', run, stored),
      repaired: repair,
      what_to_do:
        'D1 was restored to an earlier time. Repair tells it again what the task run was.',
    })),
  }
}

/** The store no longer has the task runs of flow runs that were deleted. */
function ofLivingFlowRuns(store: TaskRunStore, runs: readonly TaskRunRecord[]): TaskRunRecord[] {
  const flowRunIds = new Set(runs.map(({ flow_run_id }) => flow_run_id).filter((id) => id !== null))
  const deleted = new Set(store.deletedAmong([...flowRunIds]))
  return runs.filter(({ flow_run_id: id }) => id === null || !deleted.has(id))
}

/** @throws Error when the store can't be written now: the step is then taken again */
async function flush({ flusher }: Surroundings): Promise<void> {
  if (!(await flusher.flushed())) {
    throw new Error('D1 does not take what event streams write; nothing can be compared')
  }
}

function toFinding(kind: FindingKind, run: TaskRunRecord, stored: ReadonlyMap<string, number>) {
  const seq = stored.get(run.id)
  return {
    kind,
    object: '',
    id: run.id,
    home: `${String(run.state_name)}, seq ${run.seq}`,
    store: seq === undefined ? 'not there' : `seq ${seq}`,
  } satisfies Partial<Finding>
}

import type { FeedFrame } from '#core/wire/feed.ts'
import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { TaskRun } from '#core/wire/task-run.ts'

/** What has changed; `id` is that of the run, of the task run, or of the run whose logs grew. */
export type Change =
  | { kind: 'flow_run'; id: string; row: FlowRunRow }
  | { kind: 'flow_run_deleted'; id: string }
  | { kind: 'task_run'; id: string; flow_run_id: string; row: TaskRun }
  | { kind: 'logs'; id: string }

export interface VersionedChange {
  version: number
  /** Milliseconds since the epoch. */
  time: number
  change: Change
}

/** A feed that was away for longer, or missed more, loads its screen again. */
const MAX_CHANGES = 5000
const MAX_AGE_MS = 300_000

/** The changes of the last minutes, by version, for feeds that were away. Kept in memory: `since` knows what it can't tell. */
export class FeedLog {
  #version: number
  /** Everything after this version is here. */
  #floor: number
  #changes: VersionedChange[] = []

  /** @param version the version to begin with: higher than all that were ever given out before */
  constructor(version: number) {
    this.#version = version
    this.#floor = version
  }

  get version(): number {
    return this.#version
  }

  /** Adds changes under the next version. */
  add(changes: readonly Change[], nowMs: number): VersionedChange[] {
    if (changes.length === 0) {
      return []
    }
    this.#version += 1
    const version = this.#version
    const added = changes.map((change) => ({ version, time: nowMs, change }))
    this.#changes.push(...added)
    this.#trim(nowMs)
    return added
  }

  /** What has changed after a version; undefined when that is no longer known. */
  since(version: number): VersionedChange[] | undefined {
    if (version < this.#floor || version > this.#version) {
      return undefined
    }
    return this.#changes.filter((change) => change.version > version)
  }

  #trim(nowMs: number): void {
    const keep = this.#changes.length - MAX_CHANGES
    let drop = this.#changes.findIndex(({ time }) => nowMs - time <= MAX_AGE_MS)
    drop = Math.max(drop, keep)
    if (drop > 0) {
      this.#floor = this.#changes[drop - 1]?.version ?? this.#floor
      this.#changes = this.#changes.slice(drop).filter(({ version }) => version > this.#floor)
    }
  }
}

export function isTopic(topic: string): boolean {
  return topic === 'flow_runs' || /^flow_run:[0-9a-f-]{36}$/.test(topic)
}

/** One frame carries at most so many rows: some hundred KB. */
const ROWS_PER_FRAME = 200

/**
 * The frames that tell a subscriber of changes: of several changes of one thing only the last. Only the last frame carries
 * the new version, so that a connection that breaks between two of them gets all of them again.
 */
export function toFrames(
  changes: readonly VersionedChange[],
  topics: readonly string[],
): FeedFrame[] {
  const first = changes[0]
  const last = changes.at(-1)
  if (first === undefined || last === undefined) {
    return []
  }
  const everyRun = topics.includes('flow_runs')
  const runs = new Set(
    topics.filter((topic) => topic !== 'flow_runs').map((topic) => topic.slice('flow_run:'.length)),
  )
  const rows = new Map<string, FlowRunRow>()
  const deleted = new Set<string>()
  const taskRuns = new Map<string, Map<string, TaskRun>>()
  const logs = new Set<string>()
  for (const { change } of changes) {
    switch (change.kind) {
      case 'flow_run':
        if (everyRun || runs.has(change.id)) {
          rows.set(change.id, change.row)
        }
        break
      case 'flow_run_deleted':
        if (everyRun || runs.has(change.id)) {
          rows.delete(change.id)
          deleted.add(change.id)
        }
        break
      case 'task_run':
        if (runs.has(change.flow_run_id)) {
          const ofRun = taskRuns.get(change.flow_run_id) ?? new Map<string, TaskRun>()
          taskRuns.set(change.flow_run_id, ofRun.set(change.id, change.row))
        }
        break
      case 'logs':
        if (runs.has(change.id)) {
          logs.add(change.id)
        }
        break
    }
  }
  const before = first.version - 1
  const frames: FeedFrame[] = [
    ...pieces([...rows.values()]).map(
      (part) => ({ type: 'flow_runs', version: before, rows: part }) as const,
    ),
    ...pieces([...deleted]).map(
      (ids) => ({ type: 'flow_runs_deleted', version: before, ids }) as const,
    ),
    ...[...taskRuns].flatMap(([flow_run_id, ofRun]) =>
      pieces([...ofRun.values()]).map(
        (task_runs) => ({ type: 'task_runs', version: before, flow_run_id, task_runs }) as const,
      ),
    ),
    ...[...logs].map((flow_run_id) => ({ type: 'logs', version: before, flow_run_id }) as const),
  ]
  return frames.map((frame, index) =>
    index === frames.length - 1 ? { ...frame, version: last.version } : frame,
  )
}

function pieces<T>(rows: T[]): T[][] {
  return Array.from({ length: Math.ceil(rows.length / ROWS_PER_FRAME) }, (_, index) =>
    rows.slice(index * ROWS_PER_FRAME, (index + 1) * ROWS_PER_FRAME),
  )
}

import type { TaskRun } from '#core/wire/task-run.ts'

/** The task runs of a run, in the order they were due; of each the one that was updated last is kept. */
export class TaskList {
  rows: readonly TaskRun[] = []
  readonly #known = new Map<string, TaskRun>()

  apply(taskRuns: readonly TaskRun[]): void {
    for (const taskRun of taskRuns) {
      const known = this.#known.get(taskRun.id)
      if (!known || stamp(known) <= stamp(taskRun)) {
        this.#known.set(taskRun.id, taskRun)
      }
    }
    this.rows = [...this.#known.values()].toSorted(
      (a, b) => order(dueOf(a), dueOf(b)) || order(a.id, b.id),
    )
  }
}

/** A task run has no version; its state's time and its own last change tell which of two is newer. */
function stamp(taskRun: TaskRun): string {
  return `${taskRun.state?.timestamp ?? ''} ${taskRun.updated}`
}

function dueOf(taskRun: TaskRun): string {
  return taskRun.start_time ?? taskRun.expected_start_time ?? taskRun.created
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

import type { TaskRunRecord, TaskRunState } from './task-run.ts'

/** A value, or the future that will give it, at any depth of arrays and plain objects. */
export type Resolvable<T> =
  | T
  | TaskFuture<T>
  | (T extends object
      ? T extends (...args: never) => unknown
        ? never
        : { [K in keyof T]: Resolvable<T[K]> }
      : never)

/**
 * A task run that was submitted. `await` it for the task's value (or its error), or pass it to another task, which then waits
 * for it and is drawn as depending on it.
 * @example
 * const rows = extract.submit(url)
 * const saved = load.submit({ rows, table: 'prices' })
 * await saved
 */
export class TaskFuture<T> implements PromiseLike<T> {
  readonly #record: TaskRunRecord
  readonly #value: Promise<T>

  constructor(record: TaskRunRecord, value: Promise<T>) {
    this.#record = record
    this.#value = value
    // An error is told to whoever awaits the future; nobody has to.
    value.catch(() => undefined)
  }

  /** The task run's id. */
  get taskRunId(): string {
    return this.#record.id
  }

  /** The task run's name. */
  get taskRunName(): string {
    return this.#record.name
  }

  /** The state that the task run is in now. */
  get state(): Readonly<TaskRunState> {
    return this.#record.state
  }

  /** The task's value; rejects with what the task threw. */
  result(): Promise<T> {
    return this.#value
  }

  /** Waits for the end and gives the final state; never rejects. */
  async wait(): Promise<Readonly<TaskRunState>> {
    await this.#value.catch(() => undefined)
    return this.#record.state
  }

  // oxlint-disable-next-line unicorn/no-thenable -- to be awaited is what it is for
  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#value.then(onValue, onError)
  }
}

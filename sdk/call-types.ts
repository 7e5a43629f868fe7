import type { FinalState } from './states.ts'
import type { Resolvable, TaskFuture } from './task-future.ts'

/** The arguments of a call: none are needed when no parameter is. */
export type CallArguments<I> = unknown extends I
  ? [parameters?: unknown]
  : undefined extends I
    ? [parameters?: Resolvable<I>]
    : NeedsNothing<I> extends true
      ? [parameters?: Resolvable<I>]
      : [parameters: Resolvable<I>]

/** An object type whose every field is optional. */
type NeedsNothing<I> = I extends object ? (Partial<I> extends I ? true : false) : false

/** What a caller gets of what the code returns. */
export type Returned<R> = Unwrapped<Awaited<R>>
type Unwrapped<V> =
  V extends FinalState<infer T> ? T : V extends readonly TaskFuture<infer T>[] ? T[] : V

import type { FlowRunRow } from '#core/wire/flow-run.ts'
import type { State, StateType } from '#core/wire/state.ts'
import { hasEnded } from './state-kind.ts'

type Timed = Pick<
  FlowRunRow,
  'created' | 'expected_start_time' | 'start_time' | 'end_time' | 'state_type'
>

/** Milliseconds between becoming due and starting, ended runs that never started included; undefined before it is due. */
export function waitMs(run: Timed, now: number): number | undefined {
  const due = Date.parse(run.expected_start_time ?? run.created)
  const until = run.start_time ?? run.end_time
  const wait = (until === null ? now : Date.parse(until)) - due
  if (until === null && wait < 0) {
    return undefined
  }
  return Math.max(0, wait)
}

/** Milliseconds from the first start to the end, or to now; undefined when it has not started. */
export function durationMs(
  run: Pick<Timed, 'start_time' | 'end_time' | 'state_type'>,
  now: number,
): number | undefined {
  if (run.start_time === null) {
    return undefined
  }
  const start = Date.parse(run.start_time)
  const end = run.end_time !== null ? Date.parse(run.end_time) : hasEnded(run) ? start : now
  return Math.max(0, end - start)
}

/** The time that a list shows: when it started, else when it is due. */
export function listTime(run: Timed): number {
  return Date.parse(run.start_time ?? run.expected_start_time ?? run.created)
}

export interface Phase {
  /** The state that the phase is drawn as; a phase is a stretch of time in states of one type. */
  type: StateType
  /** The state's own name, where the phase is of one name only. */
  name: string
  start: number
  end: number
}

/**
 * The stretches of time a run spent in each type of state, in order. The first begins when the run was due (time before that
 * is no waiting), the last one is open and ends now, unless it is terminal: then it has no length and is left out.
 */
export function phases(states: readonly State[], due: number | undefined, now: number): Phase[] {
  const ordered = states.toSorted((a, b) => (a.timestamp < b.timestamp ? -1 : 1))
  const result: Phase[] = []
  for (const [index, state] of ordered.entries()) {
    const next = ordered[index + 1]
    const start = Math.max(Date.parse(state.timestamp), due ?? 0)
    const end = next ? Date.parse(next.timestamp) : now
    const previous = result.at(-1)
    if ((!next && hasEnded({ state_type: state.type })) || end <= start) {
      continue
    }
    if (previous?.type === state.type) {
      previous.end = end
      previous.name = previous.name === state.name ? state.name : toWord(state.type)
    } else {
      result.push({ type: state.type, name: state.name, start, end })
    }
  }
  return result
}

function toWord(type: StateType): string {
  return type.charAt(0) + type.slice(1).toLowerCase()
}

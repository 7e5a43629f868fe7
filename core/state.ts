import { formatTimestamp, type Micros } from './time.ts'
import type { State, StateCreate, StateType } from './wire/state.ts'

/** The types from which a run goes no further by itself. */
const TERMINAL_STATE_TYPES: ReadonlySet<StateType> = new Set([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'CRASHED',
])

export function isTerminal(type: StateType): boolean {
  return TERMINAL_STATE_TYPES.has(type)
}

/** The name of a state that was given none: its type, capitalised (`Completed`). */
export function defaultStateName(type: StateType): string {
  return type.slice(0, 1) + type.slice(1).toLowerCase()
}

/**
 * Makes a whole state of a proposed one. A SCHEDULED state without a time is scheduled now.
 * @param now microseconds since the epoch, the state's timestamp; the proposal's own id and timestamp are not used
 */
export function newState(create: StateCreate, id: string, now: Micros): State {
  const details = create.state_details ?? {}
  const timestamp = formatTimestamp(now)
  const isUntimed =
    create.type === 'SCHEDULED' &&
    (details.scheduled_time === undefined || details.scheduled_time === null)
  return {
    id,
    type: create.type,
    name: create.name ?? defaultStateName(create.type),
    timestamp,
    message: create.message ?? null,
    data: create.data ?? null,
    state_details: isUntimed ? { ...details, scheduled_time: timestamp } : details,
  }
}

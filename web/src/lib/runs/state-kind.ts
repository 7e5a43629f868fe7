import type { StateType } from '#core/wire/state.ts'

/** The states that have a colour of their own, in the order in which they are offered. */
export const STATE_KINDS = [
  'running',
  'pending',
  'late',
  'scheduled',
  'paused',
  'failed',
  'crashed',
  'cancelling',
  'cancelled',
  'completed',
] as const
export type StateKind = (typeof STATE_KINDS)[number]

export const STATE_TYPE_OF: Record<Exclude<StateKind, 'late'>, StateType> = {
  scheduled: 'SCHEDULED',
  pending: 'PENDING',
  running: 'RUNNING',
  completed: 'COMPLETED',
  failed: 'FAILED',
  crashed: 'CRASHED',
  cancelling: 'CANCELLING',
  cancelled: 'CANCELLED',
  paused: 'PAUSED',
}

interface Stateful {
  state_type: StateType | null
  state_name: string | null
}

export function stateKind({ state_type, state_name }: Stateful): StateKind {
  if (state_type === 'SCHEDULED' && state_name === 'Late') {
    return 'late'
  }
  return kindOfType(state_type)
}

export function kindOfType(type: string | null): StateKind {
  const kind = type?.toLowerCase() as StateKind | undefined
  return kind !== undefined && STATE_KINDS.includes(kind) ? kind : 'scheduled'
}

/** Names whose shape differs from their kind's. */
const OWN_MARKS: Record<string, string> = {
  Retrying: 'retrying',
  AwaitingRetry: 'awaiting-retry',
  AwaitingConcurrencySlot: 'awaiting-slot',
  Cached: 'cached',
  TimedOut: 'timed-out',
}

/** The id of the shape in the sprite: a state is told by shape, word and colour. */
export function stateMark(run: Stateful): string {
  return OWN_MARKS[run.state_name ?? ''] ?? stateKind(run)
}

/** The API says `AwaitingRetry`; people read `Awaiting retry`. */
export function stateWord({ state_name, state_type }: Stateful): string {
  const name = state_name ?? state_type ?? 'No state'
  if (name === 'AwaitingConcurrencySlot') {
    return 'Awaiting slot'
  }
  return /^[A-Z][a-z]+(?:[A-Z][a-z]+)+$/.test(name)
    ? name.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    : name
}

const TERMINAL = new Set<StateType | null>(['COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED'])

export function hasEnded({ state_type }: Pick<Stateful, 'state_type'>): boolean {
  return TERMINAL.has(state_type)
}

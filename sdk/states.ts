import { defaultStateName } from '../core/state.ts'
import type { Json } from '../core/wire/common.ts'
import type { StateCreate, StateType } from '../core/wire/state.ts'

/** What a terminal state's message and name may say. */
export interface StateText {
  /** Shown with the state. */
  message?: string
  /** Default: the state type, capitalised. */
  name?: string
}

/** A final state that a flow or task returns in place of a plain value. */
export class FinalState<T = undefined> {
  readonly type: 'COMPLETED' | 'FAILED' | 'CANCELLED'
  readonly stateName: string
  readonly message: string | undefined
  readonly value: T

  constructor(type: 'COMPLETED' | 'FAILED' | 'CANCELLED', value: T, text: StateText) {
    this.type = type
    this.stateName = text.name ?? defaultStateName(type)
    this.message = text.message
    this.value = value
  }
}

/**
 * Ends a run as completed under a name or message of its own.
 * @example return completed({ rows: 12 }, { name: 'Skipped', message: 'nothing new' })
 */
export function completed<T = undefined>(value?: T, text: StateText = {}): FinalState<T> {
  return new FinalState('COMPLETED', value as T, text)
}

/**
 * Ends a run as failed without throwing; retries apply as for a thrown error.
 * @example return failed('the feed is stale')
 */
export function failed(message: string, text: Omit<StateText, 'message'> = {}): FinalState<never> {
  return new FinalState<never>('FAILED', undefined as never, { message, ...text })
}

/**
 * Ends a run as cancelled by its own decision.
 * @example return cancelled('the market is closed today')
 */
export function cancelled(message?: string): FinalState<never> {
  return new FinalState<never>(
    'CANCELLED',
    undefined as never,
    message === undefined ? {} : { message },
  )
}

/** A returned value larger than this, as JSON in bytes, is not kept with the state. */
export const MAX_RESULT_BYTES = 65_536

const RESULT_TYPE = 'headgate.json'

/** How a returned value is kept in a state's data, or why it is not. */
export type ResultRecord = { data: Json } | { omitted: string }

/** Writes a returned value into the form that a state's data keeps. */
export function toResultRecord(value: unknown): ResultRecord {
  if (value === undefined) {
    return { data: null }
  }
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    return { omitted: `it is no JSON (${error instanceof Error ? error.message : String(error)})` }
  }
  if (text === undefined) {
    return { omitted: `a ${typeof value} is no JSON` }
  }
  const bytes = Buffer.byteLength(text)
  if (bytes >= MAX_RESULT_BYTES) {
    return { omitted: `it has ${bytes} bytes and at most ${MAX_RESULT_BYTES - 1} are kept` }
  }
  return { data: { type: RESULT_TYPE, value: JSON.parse(text) as Json } }
}

/** Reads a returned value back from a state's data. */
export function fromResultRecord(data: Json | undefined): { value: Json } | undefined {
  if (data === null || typeof data !== 'object' || Array.isArray(data)) {
    return undefined
  }
  return data['type'] === RESULT_TYPE ? { value: data['value'] ?? null } : undefined
}

/** A state to propose. */
export function proposal(
  type: StateType,
  fields: { name?: string; message?: string | undefined; data?: Json } = {},
): StateCreate {
  return {
    type,
    name: fields.name ?? defaultStateName(type),
    message: fields.message ?? null,
    data: fields.data ?? null,
  }
}

import type { StateType } from '../../core/wire/state.ts'
import type { Cell, Style } from './table.ts'

const STYLES: Record<StateType, Style> = {
  SCHEDULED: 'yellow',
  PENDING: 'yellow',
  RUNNING: 'cyan',
  COMPLETED: 'green',
  FAILED: 'red',
  CRASHED: ['red', 'bold'],
  CANCELLING: 'magenta',
  CANCELLED: 'gray',
  PAUSED: 'magenta',
}

export function isStateType(word: string): word is StateType {
  return Object.hasOwn(STYLES, word)
}

/** A state's name in its colour. */
export function stateCell(type: StateType | null, name: string | null): Cell {
  return type === null ? (name ?? '-') : { text: name ?? type, style: STYLES[type] }
}

const READY_STYLES: Record<string, Style> = {
  READY: 'green',
  NOT_READY: 'yellow',
  PAUSED: 'magenta',
}

/** The status of a pool, a queue or a deployment, in words. */
export function statusCell(status: string | null, paused: boolean): Cell {
  const shown = paused ? 'PAUSED' : (status ?? '-')
  const style = READY_STYLES[shown]
  const text = shown.toLowerCase().replaceAll('_', ' ')
  return style === undefined ? text : { text, style }
}

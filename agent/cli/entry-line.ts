import { parseTimestamp } from '../../core/time.ts'
import type { Log } from '../../core/wire/log.ts'
import type { Entry } from './follow.ts'
import { stateCell } from './state-style.ts'
import type { Cell, Style } from './table.ts'

/** A change of state or a log line as the cells of one line: time, what, text. */
export function entryCells(entry: Entry): Cell[] {
  return entry.kind === 'log' ? logCells(entry.log, entry.task) : stateCells(entry)
}

function stateCells({ state }: Extract<Entry, { kind: 'state' }>): Cell[] {
  const head = [clock(state.timestamp), '●', stateCell(state.type, state.name)]
  return state.message === null || state.message === '' ? head : [...head, state.message]
}

/** @param task the name of the task run that wrote the line; undefined: the flow itself did */
export function logCells(log: Log, task: string | undefined): Cell[] {
  const { word, style } = levelOf(log.level)
  const level = word.padEnd(5)
  const head = [clock(log.timestamp), style === undefined ? level : { text: level, style }]
  return task === undefined
    ? [...head, log.message]
    : [...head, { text: `${task}:`, style: 'dim' }, log.message]
}

function levelOf(level: number): { word: string; style: Style | undefined } {
  if (level >= 50) {
    return { word: 'CRIT', style: ['red', 'bold'] }
  }
  if (level >= 40) {
    return { word: 'ERROR', style: 'red' }
  }
  if (level >= 30) {
    return { word: 'WARN', style: 'yellow' }
  }
  return level >= 20 ? { word: 'INFO', style: undefined } : { word: 'DEBUG', style: 'gray' }
}

/** The time of day where the reader is, with milliseconds: 14:03:05.120. */
function clock(time: string): Cell {
  const micros = parseTimestamp(time)
  if (micros === undefined) {
    return time
  }
  const date = new Date(Math.floor(micros / 1000))
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()]
  const text = parts.map((part) => String(part).padStart(2, '0')).join(':')
  return {
    text: `${text}.${String(date.getMilliseconds()).padStart(3, '0')}`,
    style: 'dim',
  }
}

import type { Log } from '#core/wire/log.ts'

export interface LogLine extends Log {
  /** The message without terminal colours, in lines as they stand on screen. */
  text: string
}

// A terminal's colour and cursor sequences; they say nothing here.
// oxlint-disable-next-line no-control-regex -- these sequences begin with a control character
const ANSI = /\u001B(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007]*(?:\u0007|\u001B\\)|[@-Z\\-_])/g

export function toLogLine(log: Log): LogLine {
  const plain = log.message.replace(ANSI, '')
  // A progress bar writes over its own line: what it wrote last is what stood there.
  const text = plain
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.slice(line.lastIndexOf('\r') + 1))
    .join('\n')
  return { ...log, text: text.replace(/\n+$/, '') }
}

/**
 * How many rows the text takes on screen.
 * @param columns characters that fit in a row; Infinity when rows are not wrapped
 */
export function rowsOfText(text: string, columns: number): number {
  let rows = 0
  let start = 0
  for (;;) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    rows += Math.max(1, Math.ceil(widthOf(text, start, end) / columns) || 1)
    if (newline < 0) {
      return rows
    }
    start = newline + 1
  }
}

/** East Asian characters and pictures take two columns. */
function widthOf(text: string, start: number, end: number): number {
  let width = end - start
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index)
    if (code >= 0x1100 && (code <= 0x115f || (code >= 0x2e80 && code < 0xd800))) {
      width += 1
    } else if (code === 9) {
      width += 7
    }
  }
  return width
}

export type Piece = { kind: 'text' | 'hit'; text: string } | { kind: 'link'; text: string }

const LINK = /https?:\/\/[^\s"'<>\])}]+[^\s"'<>\])}.,:;!?]/g

/** Splits a text into links, hits of the search and the rest. */
export function toPieces(text: string, search: string): Piece[] {
  const pieces: Piece[] = []
  let last = 0
  for (const match of text.matchAll(LINK)) {
    pieces.push(...markHits(text.slice(last, match.index), search))
    pieces.push({ kind: 'link', text: match[0] })
    last = match.index + match[0].length
  }
  pieces.push(...markHits(text.slice(last), search))
  return pieces
}

function markHits(text: string, search: string): Piece[] {
  if (search === '' || text === '') {
    return text === '' ? [] : [{ kind: 'text', text }]
  }
  const pieces: Piece[] = []
  const lower = text.toLowerCase()
  const wanted = search.toLowerCase()
  let last = 0
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, last)) {
    if (at > last) {
      pieces.push({ kind: 'text', text: text.slice(last, at) })
    }
    pieces.push({ kind: 'hit', text: text.slice(at, at + wanted.length) })
    last = at + wanted.length
  }
  if (last < text.length) {
    pieces.push({ kind: 'text', text: text.slice(last) })
  }
  return pieces
}

const LEVELS = [
  { at: 50, word: 'CRITICAL', kind: 'crashed' },
  { at: 40, word: 'ERROR', kind: 'failed' },
  { at: 30, word: 'WARNING', kind: 'late' },
  { at: 20, word: 'INFO', kind: 'scheduled' },
  { at: Number.NEGATIVE_INFINITY, word: 'DEBUG', kind: 'cancelled' },
] as const

/** Python's name of a level, and the colour it borrows. */
export function levelOf(level: number): (typeof LEVELS)[number] {
  return LEVELS.find((each) => level >= each.at) ?? LEVELS[4]
}

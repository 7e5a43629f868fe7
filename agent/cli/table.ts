import { stripVTControlCharacters, styleText } from 'node:util'

/** A colour or a weight, or several, by Node's names. */
export type Style = Parameters<typeof styleText>[0]

/** A cell: plain text, or text that is shown in a style where the terminal has colours. */
export type Cell = string | { text: string; style: Style }

export interface Column {
  title: string
  /** Numbers read better to the right. */
  right?: boolean
  /** The column that gives way when the terminal is too narrow. */
  shrinks?: boolean
}

export interface Look {
  colors: boolean
  /** Columns of the terminal; undefined where the output is no terminal: nothing is cut then. */
  width: number | undefined
}

const GAP = '  '
const SHRINK_LIMIT = 12

/** Renders aligned columns under a heading, one line a row, each ended by a newline. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  look: Look,
): string {
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(textOf(row[index])))),
  )
  shrink(columns, widths, look.width)
  const heading = columns.map((column): Cell => ({ text: column.title, style: 'bold' }))
  return [heading, ...rows].map((row) => `${renderRow(columns, widths, row, look)}\n`).join('')
}

/** Renders `label  value` lines; a value of several lines is indented under its first. */
export function renderFields(fields: readonly (readonly [string, Cell])[], look: Look): string {
  const width = Math.max(0, ...fields.map(([label]) => displayWidth(label)))
  return fields
    .map(([label, cell]) => {
      const value = paint(cell, look).replaceAll('\n', `\n${' '.repeat(width)}${GAP}`)
      return `${paint({ text: label.padEnd(width), style: 'dim' }, look)}${GAP}${value}\n`
    })
    .join('')
}

/** Paints a cell where there are colours, and takes out what would steer the terminal. */
export function paint(cell: Cell, look: Look): string {
  const text = printable(textOf(cell))
  return typeof cell === 'string' || !look.colors
    ? text
    : styleText(cell.style, text, { validateStream: false })
}

/** Names and log lines are other people's text: escape sequences in them must not reach the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, '')
}

function renderRow(
  columns: readonly Column[],
  widths: readonly number[],
  row: readonly Cell[],
  look: Look,
): string {
  const cells = columns.map((column, index) => {
    const cell = row[index] ?? ''
    const width = widths[index] ?? 0
    const text = cut(oneLine(textOf(cell)), width)
    const padding = ' '.repeat(Math.max(0, width - displayWidth(text)))
    const painted = paint(typeof cell === 'string' ? text : { text, style: cell.style }, look)
    return column.right === true ? padding + painted : painted + padding
  })
  return cells.join(GAP).trimEnd()
}

function shrink(columns: readonly Column[], widths: number[], available: number | undefined): void {
  const index = columns.findIndex((column) => column.shrinks === true)
  if (available === undefined || index < 0) {
    return
  }
  const total = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
  const width = widths[index] ?? 0
  if (total > available) {
    widths[index] = Math.min(width, Math.max(SHRINK_LIMIT, width - (total - available)))
  }
}

function cut(text: string, width: number): string {
  return displayWidth(text) <= width
    ? text
    : `${Array.from(text)
        .slice(0, width - 1)
        .join('')}…`
}

function oneLine(text: string): string {
  return printable(text).replaceAll(/\s*[\n\t]\s*/g, ' ')
}

function textOf(cell: Cell | undefined): string {
  return cell === undefined ? '' : typeof cell === 'string' ? cell : cell.text
}

function displayWidth(text: string): number {
  return Array.from(oneLine(text)).length
}

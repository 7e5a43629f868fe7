import type { BenchResult, Figures } from './result.ts'

/** A result as lines for a terminal. */
export function toText(result: BenchResult): string {
  const tables = toTables(result).map(({ head, rows }) => {
    const widths = head.map((title, column) =>
      Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
    )
    const line = (cells: string[]) =>
      `  ${cells.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join('  ')}`
    return [line(head), ...rows.map(line)].join('\n')
  })
  const notes = (result.notes ?? []).map((note) => `  ${note}`)
  return [...tables, ...(notes.length === 0 ? [] : [notes.join('\n')])].join('\n\n')
}

/** A result as tables of a Markdown page. */
export function toMarkdown(result: BenchResult): string {
  const tables = toTables(result).map(({ head, rows }) => {
    const rule = head.map((_title, column) => (column === 0 ? '---' : '--:'))
    return [head, rule, ...rows].map(toMarkdownRow).join('\n')
  })
  const notes = (result.notes ?? []).map((note) => `- ${note}`)
  return [...tables, ...(notes.length === 0 ? [] : [notes.join('\n')])].join('\n\n')
}

function toMarkdownRow(cells: string[]): string {
  return `| ${cells.join(' | ')} |`
}

interface Table {
  head: string[]
  rows: string[][]
}

function toTables({ figures, vs_prefect, goals }: BenchResult): Table[] {
  return [
    ...groupByColumns(figures).map(({ columns, rows }) => ({
      head: ['', ...columns.map((column) => column.replaceAll('_', ' '))],
      rows: rows.map(([name, row]) => [name, ...columns.map((column) => toCell(row[column]))]),
    })),
    ...(vs_prefect === undefined
      ? []
      : [
          {
            head: ['beside Prefect', 'times better'],
            rows: Object.entries(vs_prefect).map(([name, ratio]) => [name, toCell(ratio)]),
          },
        ]),
    ...(goals === undefined
      ? []
      : [
          {
            head: ['goal', 'wanted', 'reached', ''],
            rows: goals.map(({ what, goal, reached, met }) => [
              what,
              goal,
              toCell(reached),
              met ? 'met' : 'missed',
            ]),
          },
        ]),
  ]
}

/** Rows with the same figures, one after another, are one table. */
function groupByColumns(figures: Figures) {
  const groups: { columns: string[]; rows: [string, Record<string, number | null>][] }[] = []
  for (const [name, row] of Object.entries(figures)) {
    const columns = Object.keys(row)
    const last = groups.at(-1)
    if (last !== undefined && last.columns.join() === columns.join()) {
      last.rows.push([name, row])
    } else {
      groups.push({ columns, rows: [[name, row]] })
    }
  }
  return groups
}

/** Three significant digits, whole numbers in full. */
function toCell(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return '-'
  }
  return Number.isInteger(value) || Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)))
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

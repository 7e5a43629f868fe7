import {
  type Cell,
  type Column,
  type Look,
  paint,
  renderFields,
  renderTable,
  type Style,
} from './table.ts'

export type Format = 'table' | 'json'

/**
 * What a command says. Its result goes to standard output: a table for people, or with `--output json` the API's own
 * objects and nothing else. Everything beside the result goes to standard error.
 */
export class Output {
  readonly format: Format
  readonly #look: Look
  readonly #errorLook: Look

  constructor(format: Format, environment: NodeJS.ProcessEnv = process.env) {
    this.format = format
    const wanted = (environment['NO_COLOR'] ?? '') === ''
    this.#look = lookOf(process.stdout, wanted)
    this.#errorLook = lookOf(process.stderr, wanted)
  }

  get json(): boolean {
    return this.format === 'json'
  }

  /** The result: `value` for machines, what `show` prints for people. */
  result(value: unknown, show: () => void): void {
    if (this.json) {
      this.line(JSON.stringify(value, undefined, 2))
    } else {
      show()
    }
  }

  table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
    process.stdout.write(renderTable(columns, rows, this.#look))
  }

  fields(fields: readonly (readonly [string, Cell])[]): void {
    process.stdout.write(renderFields(fields, this.#look))
  }

  /** One line of the result. */
  line(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  /** Text in a style, if standard output has colours. */
  styled(text: string, style: Style): string {
    return paint({ text, style }, this.#look)
  }

  /** A line of progress: part of what people read, but beside the result for machines. */
  progress(cells: readonly Cell[]): void {
    const [stream, look] = this.json
      ? [process.stderr, this.#errorLook]
      : [process.stdout, this.#look]
    stream.write(`${cells.map((cell) => paint(cell, look)).join('  ')}\n`)
  }

  /** A remark that is not part of the result. */
  note(text: string): void {
    process.stderr.write(`${paint({ text, style: 'dim' }, this.#errorLook)}\n`)
  }

  error(message: string, next: string | undefined): void {
    const head = paint({ text: 'Error:', style: ['bold', 'red'] }, this.#errorLook)
    process.stderr.write(`${head} ${paint(message, this.#errorLook)}\n`)
    if (next !== undefined) {
      process.stderr.write(`${paint(next, this.#errorLook)}\n`)
    }
  }
}

function lookOf(stream: NodeJS.WriteStream, colorsWanted: boolean): Look {
  const terminal = stream.isTTY
  return { colors: terminal && colorsWanted, width: terminal ? stream.columns : undefined }
}

import { expect, test } from 'vitest'
import { Client } from '../../../core/client.ts'
import { exportLines } from '../../../agent/cli/export-lines.ts'

/** An API that exports these pages of lines, a few to an answer, and breaks answers off. */
class Exporter {
  readonly asked: (string | null)[] = []
  readonly #pages: string[][]
  readonly #breaks: number[]

  /** @param breaks after how many lines each answer is broken off; the last as often as it is asked */
  constructor(pages: string[][], breaks: number[]) {
    this.#pages = pages
    this.#breaks = breaks
  }

  readonly fetch: typeof fetch = (input) => {
    const cursor = new URL(input as string).searchParams.get('cursor')
    const most = this.#breaks[Math.min(this.asked.length, this.#breaks.length - 1)] ?? 0
    this.asked.push(cursor)
    const lines = this.#linesFrom(Number(cursor ?? 0))
    const isBroken = lines.length > most
    const text = lines
      .slice(0, most)
      .map((line) => `${line}\n`)
      .join('')
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        // In pieces that end anywhere.
        for (let at = 0; at < text.length; at += 7) {
          controller.enqueue(new TextEncoder().encode(text.slice(at, at + 7)))
        }
        if (!isBroken) {
          controller.close()
        }
      },
      pull(controller) {
        controller.error(new TypeError('terminated'))
      },
    })
    return Promise.resolve(new Response(body))
  }

  #linesFrom(page: number): string[] {
    return this.#pages
      .slice(page)
      .flatMap((lines, index) => [
        ...lines,
        page + index + 1 === this.#pages.length
          ? '{"kind":"end"}'
          : JSON.stringify({ kind: 'cursor', cursor: String(page + index + 1) }),
      ])
  }
}

const row = (id: number) => JSON.stringify({ kind: 'flow', row: { id } })
const PAGES = [[row(1), row(2)], [], [row(3)], [row(4), row(5)]]

async function linesOf(exporter: Exporter, patience?: number): Promise<string[]> {
  const client = new Client({ apiUrl: 'http://headgate.test/api', fetch: exporter.fetch })
  const lines: string[] = []
  for await (const line of exportLines(client, patience)) {
    lines.push(line)
  }
  return lines
}

const ALL = [...PAGES.flat(), '{"kind":"end"}']

test('an export that is answered whole is given out without its cursors', async () => {
  expect(await linesOf(new Exporter(PAGES, [100]))).toEqual(ALL)
})

test('an answer that is broken off goes on from its last cursor, and no line comes twice', async () => {
  const exporter = new Exporter(PAGES, [4, 3, 1, 3])
  expect(await linesOf(exporter)).toEqual(ALL)
  expect(exporter.asked).toEqual([null, '2', '3', '3'])
})

test('an export that never goes on is given up', async () => {
  await expect(linesOf(new Exporter(PAGES, [1]), 2)).rejects.toThrow('terminated')
})

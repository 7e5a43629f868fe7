import type { Client } from '../../core/client.ts'
import { backoffMs, errorKind } from '../../core/retry.ts'
import { sleep } from '../../core/sleep.ts'
import type { ExportLine } from '../../core/wire/workspace.ts'

interface Page {
  lines: string[]
  /** Where the next begins; undefined: this was the last. */
  cursor: string | undefined
}

/**
 * All lines of a workspace's export, each once, with its end: however many answers that takes, and whatever breaks them off.
 * @param patience answers in a row that may bring nothing
 */
export async function* exportLines(client: Client, patience = 8): AsyncGenerator<string> {
  let cursor: string | undefined
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const page of pagesFrom(client, cursor)) {
        yield* page.lines
        if (page.cursor === undefined) {
          return
        }
        failures = 0
        cursor = page.cursor
      }
    } catch (error) {
      if (failures >= patience || errorKind(error) !== 'retry') {
        throw error
      }
      await sleep(backoffMs(failures + 1, error, Math.random()))
    }
    if (failures >= patience) {
      throw new Error('the export does not go on')
    }
  }
}

/** The whole pages of one answer: what came after its last cursor comes again. */
async function* pagesFrom(client: Client, from: string | undefined): AsyncGenerator<Page> {
  let lines: string[] = []
  for await (const text of linesOf(await client.exportWorkspace(from))) {
    const line = JSON.parse(text) as ExportLine
    if ('cursor' in line) {
      yield { lines, cursor: line.cursor }
      lines = []
    } else {
      lines.push(text)
    }
    if (line.kind === 'end') {
      yield { lines, cursor: undefined }
    }
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}

import type { Log } from '#core/wire/log.ts'
import { levelOf } from './log-line.ts'

/** Collects pages of lines into a file and hands it to the browser. */
export async function saveLog(
  pages: AsyncIterable<Log[]>,
  name: string,
  format: 'txt' | 'ndjson',
  onProgress: (count: number) => void,
): Promise<void> {
  const parts: string[] = []
  let count = 0
  for await (const page of pages) {
    count += page.length
    parts.push(page.map((log) => (format === 'txt' ? toText(log) : toNdjson(log))).join(''))
    onProgress(count)
  }
  const url = URL.createObjectURL(new Blob(parts, { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `${name}.${format}`
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

function toText(log: Log): string {
  return `${log.timestamp} ${levelOf(log.level).word.padEnd(8)} ${log.name} ${log.message}\n`
}

function toNdjson(log: Log): string {
  return `${JSON.stringify(log)}\n`
}

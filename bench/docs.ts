import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeptResult } from './result.ts'
import { toMarkdown } from './table.ts'

const PAGE = join(import.meta.dirname, '../docs/performance.md')

/** Puts the kept figures into the page, between `<!-- bench:NAME -->` and `<!-- /bench -->`. */
export function writeDocs(results: Record<string, KeptResult>): void {
  const page = readFileSync(PAGE, 'utf8')
  const filled = page.replaceAll(
    /<!-- bench:(\w+) -->[\s\S]*?<!-- \/bench -->/g,
    (_found, name: string) =>
      `<!-- bench:${name} -->\n\n${describe(results[name])}\n\n<!-- /bench -->`,
  )
  writeFileSync(PAGE, filled)
}

function describe(result: KeptResult | undefined): string {
  if (result === undefined) {
    return 'Not measured yet.'
  }
  const { machine, versions, date } = result
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const where = `${machine.cores} cores (${machine.cpu}), ${machine.memory_gb} GB, ${machine.system}`
  return `${toMarkdown(result)}\n\n${date.slice(0, 10)}, ${where}; ${named.join(', ')}; load before: ${machine.load_before}.`
}

import { randomInt } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { soakTable, verdictLine, wrongOf } from './report.ts'
import { soak } from './soak.ts'

const HELP = `npm run soak -- MINUTES [--seed N] [--agents N] [--port N]

Harms the built system at random for so many minutes while runs flow, and judges it from outside.
  --seed N    repeats the decisions of an earlier soak
  --agents N  how many agents serve the pool (default 3)
  --port N    the first port to try (default 26300)
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(randomInt(1_000_000)) },
    agents: { type: 'string', default: '3' },
    port: { type: 'string', default: '26300' },
  },
})
const minutes = Number(positionals[0] ?? Number.NaN)
if (!(minutes > 0)) {
  process.stderr.write(HELP)
  process.exit(2)
}
const say = (line: string) => process.stdout.write(`${line}\n`)
say(`seed ${values.seed}`)
const report = await soak({
  seed: Number(values.seed),
  minutes,
  agents: Number(values.agents),
  firstPort: Number(values.port),
  crowd: 18,
  longest: 600,
  strikeEvery: 5,
  long: true,
  patience: 12,
  tell: (line) => say(`${new Date().toISOString().slice(11, 19)} ${line}`),
})
say(soakTable(report))
const wrong = wrongOf(report)
if (wrong.length > 0) {
  const file = join(tmpdir(), `headgate-soak-${report.seed}.log`)
  writeFileSync(file, [...wrong, '', ...report.story, '', report.said].join('\n'))
  say(`${wrong.join('\n')}\n\nWhat was struck, and what all programs said, is in ${file}.\n`)
}
say(verdictLine(report))
process.exitCode = wrong.length === 0 ? 0 : 1

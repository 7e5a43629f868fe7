import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'

const HELP = `npm run fuzz [-- --minutes N] [--seed N] [--max-examples N] [--only TEXT] [--port N]

Serves a fresh workspace and sends it what the API's own OpenAPI document lets schemathesis think of: no answer may be a 5xx or
break the document, and nothing may be taken that the document forbids.
  --minutes N       again and again for so long; otherwise once
  --seed N          repeats an earlier run (default: another one each time; it is said first)
  --max-examples N  requests made up for each operation (default 40)
  --phases TEXT     of schemathesis (default coverage,fuzzing,stateful; the first takes most of the time)
  --only TEXT       operations with this in their names only: 'POST /flow_runs'
  --port N          the first port to try (default 26400)
`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string', default: String(randomInt(1_000_000_000)) },
    'max-examples': { type: 'string', default: '40' },
    phases: { type: 'string', default: 'coverage,fuzzing,stateful' },
    only: { type: 'string' },
    port: { type: 'string', default: '26400' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  process.stdout.write(HELP)
  process.exit(0)
}
const { seed, minutes, phases, only } = values
const again = ['--seed', seed, '--max-examples', values['max-examples'], '--phases', phases]
process.stdout.write(`seed ${seed}\n`)
const report = await fuzz({
  seed: Number(seed),
  firstPort: Number(values.port),
  maxExamples: Number(values['max-examples']),
  phases,
  ...(minutes === undefined ? {} : { seconds: Math.round(Number(minutes) * 60) }),
  ...(only === undefined ? {} : { only }),
  tell: (text) => process.stdout.write(text),
})
if (report.failed) {
  process.stdout.write(`\nto see it again: npm run fuzz -- ${again.join(' ')}\n`)
}
process.exitCode = report.failed ? 1 : 0

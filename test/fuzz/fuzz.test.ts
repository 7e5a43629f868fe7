import { expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'

/** The same requests each time, so that a change is judged by what it changes; `npm run fuzz` looks for others. */
const SEED = 20_261_124
const MAX_EXAMPLES = 3
const PHASES = 'fuzzing,stateful'

it('answers what its own document lets one think of as the document says', async () => {
  const report = await fuzz({
    seed: SEED,
    firstPort: 26_450,
    maxExamples: MAX_EXAMPLES,
    phases: PHASES,
    tell: () => undefined,
  })
  const again = `npm run fuzz -- --seed ${SEED} --max-examples ${MAX_EXAMPLES} --phases ${PHASES}`
  expect(report.failed, `${report.story}\nto see it again: ${again}`).toBe(false)
  expect(report.cases).toBeGreaterThan(500)
}, 900_000)

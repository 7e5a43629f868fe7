import { randomInt } from 'node:crypto'
import { describe, expect, it, onTestFailed } from 'vitest'
import { soakTable, verdictLine, wrongOf } from '../soak/report.ts'
import { soak } from '../soak/soak.ts'

/** `HEADGATE_SEED=random` takes another one each time; the one that was taken is said. */
const given = process.env['HEADGATE_SEED'] ?? '20261123'
const seed = given === 'random' ? randomInt(1_000_000) : Number(given)

describe('a soak of a minute', () => {
  it('loses no run, doubles none, exceeds no limit and inverts no order', async () => {
    const said: string[] = [`HEADGATE_SEED=${seed}`]
    onTestFailed(() => {
      process.stderr.write(`${said.join('\n')}\n`)
    })
    const report = await soak({
      seed,
      minutes: 0.6,
      agents: 2,
      firstPort: 26_250,
      crowd: 10,
      longest: 40,
      strikeEvery: 4,
      long: false,
      patience: 5,
      tell: (line) => said.push(line),
    })
    said.push(soakTable(report), ...report.story, report.said)
    expect(wrongOf(report)).toEqual([])
    // A soak in which nothing happened would have shown nothing.
    expect(report.runs, verdictLine(report)).toBeGreaterThan(3)
    expect(report.executions).toBeGreaterThan(1)
    expect(Object.keys(report.strikes).length).toBeGreaterThan(1)
  }, 600_000)
})

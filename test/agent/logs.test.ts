import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { AgentFixture, hasEnded, shell } from '../support/node/agent-fixture.ts'
import { until } from '../support/node/until.ts'

const fixture = new AgentFixture()

describe('the output of a run', () => {
  test('arrives line by line, decoded with replacement, the last line without a newline too', async () => {
    await fixture.startAgent()
    const run = fixture.plane.enqueue(shell(String.raw`printf "a\\n\\377b\\r\\n\\nlast"`))
    await hasEnded(run)
    expect(fixture.plane.logLines(run)).toEqual(['a', '\ufffdb', '', 'last'])
    const logs = fixture.plane.logs.filter((log) => log.flow_run_id === run.id)
    expect(logs.every(({ name, level }) => name === 'headgate.process' && level === 20)).toBe(true)
    expect(new Set(logs.map(({ timestamp }) => timestamp)).size).toBe(4)
  })

  test('arrives while the run goes on', async () => {
    await fixture.startAgent()
    const run = fixture.plane.enqueue(shell('echo first; sleep 2; echo second'))
    await fixture.hasSaid(run, 'first')
    expect(run.stage).toBe('accepted')
    await fixture.hasSaid(run, 'second')
  })

  test('is all there after an outage, in order, and once', async () => {
    await fixture.startAgent()
    const script = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; sleep 0.01; done'
    const run = fixture.plane.enqueue(shell(script))
    await fixture.hasSaid(run, '20')
    fixture.plane.trouble = (path) => (path === '/logs/' ? 'cut' : undefined)
    await wait(1500)
    fixture.plane.trouble = () => undefined
    await until('all lines are there', () => fixture.plane.logLines(run).length >= 300)
    expect(fixture.plane.logLines(run)).toEqual(
      Array.from({ length: 300 }, (_, index) => `${index + 1}`),
    )
  })

  test('of 100 MB arrives whole, without the agent growing by it', async () => {
    const agent = await fixture.startAgent()
    await fixture.isWaiting()
    const line = 'x'.repeat(2000)
    const lines = 50_000
    const run = fixture.plane.enqueue({
      job_configuration: { command: `sh -c 'yes ${line} | head -n ${lines}'` },
    })
    let most = 0
    await until(
      'all lines are there',
      async () => {
        most = Math.max(most, await residentMegabytes(agent.pid))
        return fixture.plane.logLines(run).length >= lines
      },
      90_000,
    )
    expect(fixture.plane.logLines(run).every((text) => text === line)).toBe(true)
    await hasEnded(run)
    expect(most).toBeLessThan(300)
  }, 120_000)
})

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort, Sandbox } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

const MAIN = resolve(import.meta.dirname, '../../worker/local/main.ts')

let sandbox: Sandbox
let port: number

beforeEach(async () => {
  sandbox = new Sandbox()
  port = await freePort(26_000)
})
afterEach(() => sandbox.dispose())

interface Row {
  run: string
  queue: string
  state: string
  waited: string
  ran: string
}

/** The table at the end of the demo. */
function tableOf(stdout: string): Row[] {
  const [, table = ''] = stdout.split(/^ *RUN +QUEUE +STATE +WAITED +RAN *$/m)
  return table
    .split('\n')
    .slice(1)
    .map((line) => /^ {2}(\S+) +(\S+) +(\S+) +(\d+ ms|-) +([\d.]+ s|-) *$/.exec(line))
    .filter((match) => match !== null)
    .map(([, run = '', queue = '', state = '', waited = '', ran = '']) => ({
      run,
      queue,
      state,
      waited,
      ran,
    }))
}

function countBy(values: string[]): Record<string, number> {
  return Object.fromEntries(
    [...new Set(values)].map((value) => [value, values.filter((other) => other === value).length]),
  )
}

describe('npm run demo', () => {
  it('shows runs, a cancellation, priority and a schedule, and leaves nothing behind', async () => {
    const words = ['demo', '--state', 'state', '--port', String(port)]
    const { code, stdout, stderr } = await sandbox.run([MAIN, ...words])
    expect({ code, failed: /The demo failed.*/.exec(stderr)?.[0] }).toEqual({ code: 0 })
    const rows = tableOf(stdout)
    expect(countBy(rows.map(({ queue, state }) => `${queue} ${state}`))).toEqual({
      // Three flows, three that waited for the urgent ones, and the schedule's.
      'default Completed': 7,
      'default Cancelled': 1,
      'urgent Completed': 2,
    })
    expect(rows.every(({ waited, ran }) => waited !== '-' && ran !== '-')).toBe(true)
    expect(stdout).toContain('order of queues: urgent, urgent, default, default, default.')
    expect(stdout).toMatch(/● Cancelling: Cancelled by the demo\n(.*\n)*?.*● Cancelled/)
    expect(stdout).toMatch(/Hello Ada! \(3 of 3\)/)
    expect(stdout).toMatch(/the source of Reykjavik did not answer - retry 1\/2/)
    expect(stdout).toMatch(/The warmest station is Cairo/)
    const scheduled = /'(\S+)' is due at/.exec(stdout)?.[1]
    expect(rows.find(({ run }) => run === scheduled)?.state).toBe('Completed')
    expect(stdout).toContain(`The console: http://127.0.0.1:${port}`)
    await sandbox.isEmpty()
  })

  it('ends its agent, its runs and its server when it is stopped in the middle', async () => {
    const words = ['demo', '--state', 'state', '--port', String(port)]
    const child = spawn(process.execPath, [MAIN, ...words], {
      cwd: sandbox.folder,
      env: sandbox.environment,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = once(child, 'exit')
    let stdout = ''
    child.stdout.on('data', (chunk) => (stdout += String(chunk)))
    await until('a run is executed', () => stdout.includes('60 s left'), 90_000)
    child.kill('SIGINT')
    expect(await exited).toEqual([130, null])
    await sandbox.isEmpty()
  })
})

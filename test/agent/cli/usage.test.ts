import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Usage } from '../../../core/wire/usage.ts'
import { FakeApi } from '../../support/node/fake-api.ts'
import { type CommandLine, makeCommandLine } from '../../support/node/headgate.ts'

const api = new FakeApi()
let headgate: CommandLine

beforeAll(async () => {
  const url = await api.start()
  headgate = makeCommandLine({ env: { HEADGATE_API_URL: url, HEADGATE_API_KEY: api.key } })
})
afterAll(() => api.stop())

const USAGE: Usage = {
  plan: 'free',
  limits: {
    flow_runs: 10_000,
    log_bytes: null,
    flow_run_days: null,
    event_days: 7,
    log_days: 14,
    audit_days: 30,
  },
  month: {
    from: '2026-11-01T00:00:00.000000Z',
    resets: '2026-12-01T00:00:00.000000Z',
    flow_runs: 12,
    task_runs: 100,
    events: 300,
    log_bytes: 1_250_000,
  },
  days: [{ day: '2026-11-24', flow_runs: 12, task_runs: 100, events: 300, log_bytes: 999 }],
}

it('shows what was used beside what the plan allows, and each day', async () => {
  api.fault = () => ({ status: 200, body: USAGE as never })
  const { code, stdout } = await headgate.run('usage', '--days', '3')
  expect(code).toBe(0)
  expect(api.requests.at(-1)?.path).toBe('/usage')
  expect(stdout).toMatch(/Month +2026-11-01 to 2026-12-01, the whole account/)
  expect(stdout).toMatch(/Flow runs +12 of 10000/)
  expect(stdout).toMatch(/Logs +1\.3 MB, without a limit/)
  expect(stdout).toMatch(/Flow runs are kept +for ever/)
  expect(stdout).toMatch(/2026-11-24 +12 +100 +300 +999 B/)
  expect(await headgate.json('usage')).toEqual(USAGE)
})

it('takes no other numbers of days', async () => {
  const { code, stderr } = await headgate.run('usage', '--days', '0')
  expect(code).toBe(2)
  expect(stderr).toMatch(/whole number from 1 to 400/)
})

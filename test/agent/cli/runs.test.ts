import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FlowRun } from '../../../core/wire/flow-run.ts'
import type { Log } from '../../../core/wire/log.ts'
import { type CommandLine, makeCommandLine } from '../../support/node/headgate.ts'
import { FakeApi } from '../../support/node/fake-api.ts'
import { until } from '../../support/node/until.ts'

const api = new FakeApi()
let headgate: CommandLine
let flowId: string

beforeAll(async () => {
  const url = await api.start(23_200)
  headgate = makeCommandLine({ env: { HEADGATE_API_URL: url, HEADGATE_API_KEY: api.key } })
  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${api.key}` },
      body: JSON.stringify(body),
    })
    return (await response.json()) as { id: string }
  }
  flowId = (await post('/flows/', { name: 'etl' })).id
  await post('/work_pools/', { name: 'default' })
  await post('/deployments/', {
    name: 'nightly',
    flow_id: flowId,
    work_pool_name: 'default',
    parameters: { day: 'monday' },
    schedules: [{ schedule: { cron: '0 3 * * *' }, slug: 'night' }],
  })
})
afterAll(() => api.stop())

/** Ends the run that a command has just created, with log lines on the way, as an agent would. */
async function play(count: number, end: 'COMPLETED' | 'FAILED'): Promise<void> {
  while (api.flowRuns.length < count) {
    await wait(20)
  }
  const run = api.flowRuns.at(-1)
  if (run === undefined) {
    throw new Error('there is no run')
  }
  api.enter(run, { type: 'PENDING' })
  await wait(300)
  api.enter(run, { type: 'RUNNING' })
  const task = api.addTaskRun({ name: 'load-0', task_key: 'load', dynamic_key: '0' })
  api.addLog(run, 'first line')
  api.addLog(run, 'of a task', { task_run_id: task.id })
  await wait(400)
  const late = api.now()
  api.addLog(run, 'second line', { level: 40 })
  api.addLog(run, 'a line of another process', { timestamp: late })
  await wait(400)
  run.total_run_time = 1.2
  api.enter(run, { type: end, message: end === 'FAILED' ? 'it broke' : null })
  await wait(300)
  api.addLog(run, 'last line, after the end')
}

describe('headgate deployment', () => {
  it('creates a run with parameters', async () => {
    const words = ['deployment', 'run', 'etl/nightly', '--params', '{"n": 1, "day": "sunday"}']
    const more = ['-p', 'n=2', '-p', 'who=Ada', '--queue', 'high', '--tag', 'x', '--name', 'mine']
    const { code, stdout } = await headgate.run(...words, ...more)
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^Created flow run 'mine' \([-0-9a-f]{36}\) of etl\/nightly\.\nFollow it with `headgate flow-run watch [-0-9a-f]{36}`,\nor at http:\/\/127\.0\.0\.1:23200\/runs\//,
    )
    expect(api.flowRuns.at(-1)).toMatchObject({
      parameters: { n: 2, day: 'sunday', who: 'Ada' },
      work_queue_name: 'high',
      tags: ['x'],
    })
  })

  it('creates a run for each line of a file', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'headgate-lines-')), 'days.jsonl')
    const days = Array.from({ length: 1002 }, (_, day) => day)
    writeFileSync(file, days.map((day) => JSON.stringify({ parameters: { day } })).join('\n\n'))
    const before = api.flowRuns.length
    const made = await headgate.run('deployment', 'run-many', 'etl/nightly', file)
    expect(made).toMatchObject({
      code: 0,
      stdout: 'Created 1002 flow runs of etl/nightly.\n',
      stderr: '1000 of 1002 flow runs\n1002 of 1002 flow runs\n',
    })
    expect(api.flowRuns.slice(before).map(({ parameters }) => parameters['day'])).toEqual(days)

    writeFileSync(file, '{"parameters": {}}\nday 2')
    const refused = await headgate.run('deployment', 'run-many', 'etl/nightly', file)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('line 2 is not valid JSON')
    expect(api.flowRuns).toHaveLength(before + days.length)
  })

  it('watches a run to its end: states and lines in order, each once', async () => {
    const [outcome] = await Promise.all([
      headgate.run('deployment', 'run', 'nightly', '--watch'),
      play(api.flowRuns.length + 1, 'COMPLETED'),
    ])
    const shown = outcome.stdout.split('\n').map((line) => line.replace(/^\d\d:\S+ {2}/, ''))
    expect(shown.slice(1)).toEqual([
      '●  Scheduled',
      '●  Pending',
      '●  Running',
      'INFO   first line',
      'INFO   load-0:  of a task',
      'INFO   a line of another process',
      'ERROR  second line',
      '●  Completed',
      'INFO   last line, after the end',
      "Flow run 'bright-otter' ended Completed after 1.2 s.",
      '',
    ])
    expect(outcome.code).toBe(0)
  })

  it('exits 1 when the run that it watched did not complete, with the run as JSON', async () => {
    const [outcome] = await Promise.all([
      headgate.run('deployment', 'run', 'etl/nightly', '--watch', '--output', 'json'),
      play(api.flowRuns.length + 1, 'FAILED'),
    ])
    expect(outcome.code).toBe(1)
    expect(JSON.parse(outcome.stdout)).toMatchObject({ state_type: 'FAILED' })
    expect(outcome.stderr).toMatch(/● {2}Failed {2}it broke/)
  })

  it('lists, shows, pauses and resumes', async () => {
    const list = await headgate.run('deployment', 'ls')
    expect(list.stdout).toMatch(/^NAME +POOL\/QUEUE +STATUS +SCHEDULES +VERSION$/m)
    expect(list.stdout).toMatch(
      /^etl\/nightly +default\/default +not ready +cron 0 3 \* \* \* +-$/m,
    )
    expect((await headgate.run('deployment', 'inspect', 'nightly')).stdout).toMatch(
      /"day": "monday"/,
    )
    expect(await headgate.json('deployment', 'pause', 'etl/nightly')).toMatchObject({
      paused: true,
    })
    expect((await headgate.run('deployment', 'ls')).stdout).toMatch(/paused/)
    expect((await headgate.run('deployment', 'resume', 'etl/nightly')).stdout).toBe(
      "Resumed deployment 'etl/nightly'.\n",
    )
  })

  it('adds, pauses, resumes and deletes schedules', async () => {
    const group = ['deployment', 'schedule']
    const made = ['create', 'etl/nightly', '--interval', '1h', '--slug', 'hourly', '-p', 'n=1']
    expect((await headgate.run(...group, ...made)).stdout).toMatch(/by schedule: every 1 h\./)
    expect(await headgate.json(...group, 'pause', 'etl/nightly', 'hourly')).toMatchObject({
      active: false,
      parameters: { n: 1 },
    })
    const list = await headgate.run(...group, 'ls', 'etl/nightly')
    expect(list.stdout).toMatch(/ hourly +every 1 h +paused +all +\{"n":1\}$/m)
    expect(await headgate.json(...group, 'resume', 'nightly', 'hourly')).toMatchObject({
      active: true,
    })
    expect((await headgate.run(...group, 'delete', 'nightly', 'hourly')).code).toBe(0)
    const missing = await headgate.run(...group, 'pause', 'nightly', 'hourly')
    expect(missing.code).toBe(3)
    expect(missing.stderr).toMatch(/has no schedule 'hourly'/)
  })

  it('knows what is not there', async () => {
    const { code, stderr } = await headgate.run('deployment', 'run', 'etl/none')
    expect(code).toBe(3)
    expect(stderr).toMatch(/There is no deployment 'etl\/none'\.\nSee `headgate deployment ls`/)
  })
})

describe('headgate flow-run', () => {
  it('lists runs, by state where asked', async () => {
    api.addFlowRun({ flow_id: flowId, name: 'slow-crab' }, { type: 'SCHEDULED', name: 'Late' })
    const late = await headgate.run('flow-run', 'ls', '--state', 'late')
    expect(late.stdout).toMatch(/^ID +FLOW +NAME +STATE +START +RAN +POOL\/QUEUE$/m)
    expect(late.stdout).toMatch(/ etl +slow-crab +Late /)
    expect(late.stdout.split('\n')).toHaveLength(3)
    expect(await headgate.json<FlowRun[]>('flow-run', 'ls', '--limit', '2')).toHaveLength(2)
    const none = await headgate.run('flow-run', 'ls', '--state', 'crashed')
    expect([none.code, none.stdout, none.stderr]).toEqual([0, '', 'No flow run matches.\n'])
  })

  it('leaves out what is due later, unless it is asked for', async () => {
    const later = '2999-01-01T00:00:00.000000Z'
    const times = { expected_start_time: later, next_scheduled_start_time: later }
    const run = api.addFlowRun(
      { flow_id: flowId, name: 'far-away', ...times },
      { type: 'SCHEDULED' },
    )
    expect((await headgate.run('flow-run', 'ls')).stdout).not.toMatch(/far-away/)
    expect((await headgate.run('flow-run', 'ls', '--all')).stdout).toMatch(/far-away/)
    expect((await headgate.run('flow-run', 'ls', '--state', 'scheduled')).stdout).toMatch(
      /far-away +Scheduled +in \d+d/,
    )
    api.flowRuns.splice(api.flowRuns.indexOf(run), 1)
  })

  it('tells how many more runs fall due than it shows', async () => {
    const { stdout, stderr } = await headgate.run('work-pool', 'preview', 'default', '--limit', '1')
    expect(stdout).toMatch(/^DUE +FLOW +RUN +QUEUE +STATE\n.* etl /)
    expect(stderr).toMatch(/^\d+ more fall due within 1 h/)
  })

  it('shows a run by its id or its name', async () => {
    const run = api.addFlowRun({ flow_id: flowId, name: 'lone-fox' }, { type: 'RUNNING' })
    expect(await headgate.json('flow-run', 'inspect', run.id)).toMatchObject({ id: run.id })
    expect((await headgate.run('flow-run', 'inspect', 'lone-fox')).stdout).toMatch(/State +Running/)
    api.addFlowRun({ flow_id: flowId, name: 'lone-fox' }, { type: 'RUNNING' })
    const several = await headgate.run('flow-run', 'inspect', 'lone-fox')
    expect(several.code).toBe(6)
    expect(several.stderr).toMatch(/Several flow runs are called 'lone-fox'/)
    expect((await headgate.run('flow-run', 'inspect', 'no-fox')).code).toBe(3)
  })

  it('prints logs, whole, the last lines, and as JSON', async () => {
    const run = api.addFlowRun({ flow_id: flowId }, { type: 'COMPLETED' })
    for (let line = 1; line <= 205; line += 1) {
      api.addLog(run, `line ${line}`)
    }
    const whole = await headgate.run('flow-run', 'logs', run.id)
    expect(whole.stdout.trim().split('\n')).toHaveLength(205)
    const tail = await headgate.run('flow-run', 'logs', run.id, '--tail', '2')
    expect(tail.stdout).toMatch(/INFO {3}line 204\n.*INFO {3}line 205\n$/)
    const logs = await headgate.json<Log[]>('flow-run', 'logs', run.id, '-n', '1')
    expect(logs.map(({ message }) => message)).toEqual(['line 205'])
  })

  it('follows logs to the end of the run, one JSON object a line for machines', async () => {
    const run = api.addFlowRun({ flow_id: flowId }, { type: 'RUNNING' })
    api.addLog(run, 'old')
    api.addLog(run, 'newer')
    const before = api.requests.length
    const following = headgate.run('flow-run', 'logs', run.id, '-f', '-n', '1', '-o', 'json')
    await until('it has read the logs', () =>
      api.requests.slice(before).some(({ path }) => path === '/logs/filter'),
    )
    api.addLog(run, 'while it watches')
    await wait(300)
    api.enter(run, { type: 'COMPLETED' })
    const lines = (await following).stdout.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as Log).message)).toEqual([
      'newer',
      'while it watches',
    ])
  })

  it('cancels what runs and what waits, but not what has ended', async () => {
    const running = api.addFlowRun({ flow_id: flowId, name: 'a' }, { type: 'RUNNING' })
    expect((await headgate.run('flow-run', 'cancel', running.id)).stdout).toMatch(/is being cancel/)
    expect((await headgate.run('flow-run', 'cancel', running.id)).stdout).toMatch(/already/)
    const waiting = api.addFlowRun({ flow_id: flowId }, { type: 'SCHEDULED' })
    expect(await headgate.json('flow-run', 'cancel', waiting.id)).toMatchObject({
      state_type: 'CANCELLED',
    })
    const again = await headgate.run('flow-run', 'cancel', waiting.id)
    expect(again.code).toBe(6)
    expect(again.stderr).toMatch(/was not cancelled: Run is already in terminal state CANCELLED\./)
  })

  it('retries what has ended', async () => {
    const failed = api.addFlowRun({ flow_id: flowId }, { type: 'FAILED' })
    expect(await headgate.json('flow-run', 'retry', failed.id)).toMatchObject({
      state_type: 'SCHEDULED',
      state_name: 'AwaitingRetry',
    })
    const again = await headgate.run('flow-run', 'retry', failed.id)
    expect(again.code).toBe(6)
    expect(again.stderr).toMatch(/only a run that has ended can be retried/)
  })

  it('deletes a run', async () => {
    const run = api.addFlowRun({ flow_id: flowId }, { type: 'COMPLETED' })
    expect((await headgate.run('flow-run', 'delete', run.id)).code).toBe(0)
    expect(api.flowRuns).not.toContain(run)
  })
})

describe('headgate flow ls', () => {
  it('lists flows', async () => {
    expect((await headgate.run('flow', 'ls')).stdout).toMatch(/^etl +[-0-9a-f]{36} /m)
  })
})

describe('an API that goes away while a run is watched', () => {
  it('is waited for', async () => {
    const away = new FakeApi()
    const url = await away.start(23_201)
    const run = away.addFlowRun({ flow_id: flowId }, { type: 'RUNNING' })
    const env = { HEADGATE_API_URL: url, HEADGATE_API_KEY: away.key }
    const watching = makeCommandLine({ env }).run('flow-run', 'watch', run.id)
    while (away.requests.length < 4) {
      await wait(20)
    }
    await away.stop()
    await wait(800)
    await away.start(23_201)
    away.enter(run, { type: 'COMPLETED' })
    const { code, stdout, stderr } = await watching
    expect(stdout).toMatch(/Running\n.*Completed\nFlow run/)
    expect(stderr).toBe(
      'The API does not answer; trying again. Ctrl-C stops watching, not the run.\n',
    )
    expect(code).toBe(0)
    await away.stop()
  })
})

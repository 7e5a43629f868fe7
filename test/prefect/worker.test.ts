import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../core/wire/common.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { aPrefect, type PrefectProcess, SINCE_3_6 } from '../support/node/prefect.ts'
import { kill } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()
let deployments: Record<string, string>
let worker: PrefectProcess

beforeAll(async () => {
  const { client } = prefect
  await client.createWorkPool({ name: 'p', type: 'process' })
  deployments = await prefect.deploy('long.py', ['long', 'dying', 'chatty'], 'p')
})

afterEach(async () => {
  await worker.stop()
})

async function startWorker(...words: string[]): Promise<void> {
  worker = prefect.spawn(['worker', 'start', '--pool', 'p', '--type', 'process', ...words], {
    // Asks often, so that the test need not wait.
    env: { PREFECT_WORKER_QUERY_SECONDS: '1' },
  })
  await worker.says('started!')
}

async function trigger(flow: string, parameters: JsonObject = {}): Promise<FlowRun> {
  return await prefect.client.createFlowRunFromDeployment(deployments[flow] ?? '', { parameters })
}

const ends = (run: FlowRun) => prefect.ends(run)
const begins = (run: FlowRun) =>
  prefect.reaches(run, 'running', ({ state_name }) => state_name === 'Running')

const hasNote = (what: string, { id }: FlowRun) => existsSync(prefect.sandbox.path(`${what}-${id}`))

/** The process that a run of `long` has named. */
async function isGone(run: FlowRun): Promise<boolean> {
  const said = (await prefect.messages(run)).find((line) => line.startsWith('process '))
  return prefect.sandbox.processes().every(({ pid }) => pid !== Number(said?.split(' ')[1]))
}

describe('prefect worker start --type process', () => {
  it('picks runs up, executes them and reports', async () => {
    await startWorker('--name', 'one')
    const [chatty, dying] = await Promise.all([trigger('chatty', { lines: 300 }), trigger('dying')])
    const done = await ends(chatty)
    expect(done).toMatchObject({ state_name: 'Completed', run_count: 1 })
    expect(done.infrastructure_pid).toMatch(/\d+$/)
    expect(done.labels).toMatchObject({
      'prefect.worker.name': 'one',
      'prefect.worker.type': 'process',
    })
    const states = await prefect.client.readFlowRunStates(chatty.id)
    expect(states.map(({ name }) => name)).toEqual([
      'Scheduled',
      'Pending',
      ...(SINCE_3_6 ? ['Submitting'] : []),
      'Running',
      'Completed',
    ])
    const lines = Array.from({ length: 300 }, (_, line) => `line ${line}`)
    const printed = async () =>
      (await prefect.messages(chatty)).filter((line) => line.startsWith('line '))
    await until('all its lines are there', async () => (await printed()).length >= 300)
    expect(await printed()).toEqual(lines)
    const crashed = await ends(dying)
    expect(crashed).toMatchObject({ state_type: 'CRASHED' })
    expect(crashed.state?.message).toMatch(/status code:? 3/)
    await until('its hook has run', () => hasNote('crashed', dying), 60_000)
    const [pool, workers] = await Promise.all([
      prefect.client.readWorkPool('p'),
      prefect.client.filterWorkers('p', {}),
    ])
    expect(pool.status).toBe('READY')
    expect(workers).toMatchObject([{ name: 'one', status: 'ONLINE' }])
  })

  it('honours its limit', async () => {
    await startWorker('--limit', '1')
    const three = await Promise.all([1, 2, 3].map(() => trigger('long', { seconds: 0.5 })))
    const ended = await Promise.all(three.map((run) => ends(run)))
    expect(ended.map(({ state_name }) => state_name)).toEqual([
      'Completed',
      'Completed',
      'Completed',
    ])
    const spans = ended.map(({ start_time, end_time }) => ({
      from: Date.parse(start_time ?? ''),
      to: Date.parse(end_time ?? ''),
    }))
    const inOrder = spans.toSorted((a, b) => a.from - b.from)
    for (const [index, { to }] of inOrder.slice(0, -1).entries()) {
      expect(inOrder[index + 1]?.from).toBeGreaterThanOrEqual(to)
    }
  })

  it('cancels what it runs when the package, the API or our command says so', async () => {
    await startWorker()
    const [byPackage, byApi, byOurs] = await Promise.all([
      trigger('long'),
      trigger('long'),
      trigger('long'),
    ])
    const all = [byPackage, byApi, byOurs]
    await Promise.all(all.map((run) => begins(run)))
    for (const run of all) {
      await until('it says its process', async () =>
        (await prefect.messages(run)).join().includes('process'),
      )
    }
    const env = prefect.server.environment
    const [theirs, , ours] = await Promise.all([
      prefect.run(['flow-run', 'cancel', byPackage.id]),
      prefect.client.setFlowRunState(byApi.id, { type: 'CANCELLING' }),
      prefect.sandbox.headgate(['flow-run', 'cancel', byOurs.id], { env }),
    ])
    expect(theirs).toMatchObject({ code: 0 })
    expect(ours).toMatchObject({ code: 0 })
    const ended = await Promise.all(all.map((run) => ends(run)))
    expect(ended.map(({ state_name }) => state_name)).toEqual([
      'Cancelled',
      'Cancelled',
      'Cancelled',
    ])
    for (const run of all) {
      await until('its process is gone', () => isGone(run))
      await until('its hook has run', () => hasNote('cancelled', run), 60_000)
    }
  })

  it('goes on when the server was killed and comes back', async () => {
    await startWorker()
    const before = await trigger('long', { seconds: 12 })
    await begins(before)
    for (const { pid } of prefect.server.workerds()) {
      kill(pid)
    }
    await prefect.server.crash()
    await wait(2000)
    await prefect.startServer()
    const after = await trigger('chatty')
    const ended = await Promise.all([before, after].map((run) => ends(run)))
    expect(ended.map(({ state_name, run_count }) => [state_name, run_count])).toEqual([
      ['Completed', 1],
      ['Completed', 1],
    ])
  })
})

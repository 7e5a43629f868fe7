import { expect, it } from 'vitest'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { aPrefect } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()

/** Milliseconds for a Python process to start and do something, on a machine that has much to do. */
const PATIENCE = 150_000

const RESUME = `
import json, sys
from prefect.flow_runs import resume_flow_run
try:
    resume_flow_run(sys.argv[1], run_input=json.loads(sys.argv[2]))
    print("resumed")
except Exception as error:
    print("refused:", error)
`

async function resume(run: FlowRun, input: object): Promise<string> {
  const { stdout, stderr } = await prefect.python(RESUME, [run.id, JSON.stringify(input)])
  return stdout + stderr
}

/** The run of a flow, once it has this state. */
async function pausedRun(flow: string, state: string): Promise<FlowRun> {
  let found: FlowRun | undefined
  await until(
    `${flow} is ${state}`,
    async () => {
      const runs = await prefect.client.filterFlowRuns({
        flows: { name: { any_: [flow] } },
        flow_runs: { state: { name: { any_: [state] } } },
      })
      found = runs[0]
      return found !== undefined
    },
    PATIENCE,
  )
  if (found === undefined) {
    throw new Error(`${flow} has no run that is ${state}`)
  }
  return found
}

/** What a run that waits for input has written of it. */
async function hasAsked(run: FlowRun, keys: number): Promise<void> {
  await until(
    'the run has said what it waits for',
    async () => {
      const inputs = await prefect.client.filterFlowRunInputs(run.id, { prefix: '', limit: 9 })
      return inputs.length === keys
    },
    PATIENCE,
  )
}

it('a paused flow goes on in its process with the input that it waits for', async () => {
  const flow = prefect.spawnPython('asking.py', ['paused'])
  const run = await pausedRun('paused', 'Paused')
  await hasAsked(run, 2)
  expect(await resume(run, { number: 'many' })).toContain("'many' is not of type 'integer'")
  expect((await prefect.client.readFlowRun(run.id)).state_name).toBe('Paused')
  expect(await resume(run, { number: 7 })).toContain('resumed')
  expect((await flow.outcome()).stdout).toContain('got 7 for 1.5')
  expect(await resume(run, { number: 8 })).toContain('refused')
})

it('a suspended flow is started anew with the input that it waits for', async () => {
  const served = prefect.spawnPython('asking.py', ['serve'])
  await served.says('is being served', PATIENCE)
  await prefect.succeeds(['deployment', 'run', 'suspended/asking'])
  const run = await pausedRun('suspended', 'Suspended')
  await hasAsked(run, 1)
  expect(await resume(run, { number: 3 })).toContain('resumed')
  const ended = await prefect.ends(run)
  expect(ended).toMatchObject({ id: run.id, state_type: 'COMPLETED' })
  await served.stop()
})

it('flows send each other what they like', async () => {
  // Of one family, so that their tokens reach each other.
  const env = await prefect.insideRun()
  const receiver = prefect.spawnPython('asking.py', ['receiver'], { env })
  await receiver.says('receives as ', PATIENCE)
  const id = /receives as (\S+)/.exec(receiver.said)?.[1] ?? ''
  const sender = await prefect.python('asking.py', ['sender', id], { env })
  expect(sender.stdout).toContain('thanks first')
  const { code, stdout } = await receiver.outcome()
  expect([code, stdout.match(/hello \w+/g)]).toEqual([0, ['hello first', 'hello last']])
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeApi } from '../support/node/fake-api.ts'
import { type Child, startChild, until } from './run-child.ts'

let api: FakeApi
let child: Child

const isServed = () => api.messages().includes('served 1')

beforeEach(async () => {
  api = new FakeApi()
  await api.start()
  child = startChild(new URL('./flows/serve.ts', import.meta.url).pathname, api.environment())
  await until(() => api.deployments.length > 0, 'the deployment is there')
})

afterEach(async () => {
  child.kill('SIGKILL')
  await api.stop()
})

function addRun(n: number) {
  const [deployment] = api.deployments
  return api.addFlowRun(
    {
      deployment_id: deployment?.id ?? null,
      flow_id: deployment?.flow_id ?? '',
      parameters: { n },
    },
    { type: 'SCHEDULED' },
  )
}

test('executes the runs of its deployment; SIGINT lets them end, and pauses it', async () => {
  const run = addRun(0.5)
  await until(() => run.state_type === 'RUNNING', 'the run runs')
  child.kill('SIGINT')
  expect(await child.ended).toMatchObject({ code: 0, signal: null })
  expect(api.stateNames(run.id)).toEqual(['Scheduled', 'Pending', 'Running', 'Completed'])
  expect(api.deployments[0]).toMatchObject({ paused: true, work_pool_name: null })
  const later = addRun(0)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(later.state_type).toBe('SCHEDULED')
})

test('a cancelled run stops and is Cancelled, the others go on', async () => {
  const long = addRun(60)
  const other = addRun(1)
  await until(() => long.state_type === 'RUNNING' && other.state_type === 'RUNNING', 'both run')
  api.setState(long, { type: 'CANCELLING' })
  await until(() => long.state_type === 'CANCELLED', 'it is cancelled')
  await until(() => other.state_type === 'COMPLETED', 'the other ends')
  expect(isServed()).toBe(true)
})

test('a second SIGINT cancels what runs', async () => {
  const run = addRun(60)
  await until(() => run.state_type === 'RUNNING', 'the run runs')
  child.kill('SIGINT')
  await new Promise((resolve) => setTimeout(resolve, 200))
  child.kill('SIGINT')
  expect(await child.ended).toMatchObject({ code: 0 })
  expect(run.state_type).toBe('CANCELLED')
})

test('survives an outage and takes a run that another server has not', async () => {
  let cuts = 0
  api.fault = () => (cuts < 3 ? ((cuts += 1), 'cut') : undefined)
  const taken = addRun(0)
  taken.state_type = 'PENDING'
  const run = addRun(0.01)
  await until(() => run.state_type === 'COMPLETED', 'the run ends')
  expect(taken.state_type).toBe('PENDING')
})

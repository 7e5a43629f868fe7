import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { homeKeyOf } from '#core/flow-run-id.ts'
import { formatTimestamp } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { homeStub } from '../../worker/operations/stubs.ts'
import { asStub } from '../support/objects.ts'
import { aWorkspace, clientOf } from '../support/workspace.ts'

// Each waiting state comes to its end by the home's own alarm, with the object's memory gone between any two steps.

const START = Date.parse('2030-06-01T12:00:00Z')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  // In the future, since an alarm in the past rings by itself.
  vi.setSystemTime(START)
})
afterEach(() => {
  vi.useRealTimers()
})

async function aRun(job_variables: JsonObject = {}) {
  const test = await aWorkspace()
  const { client } = test
  const pool = await client.createWorkPool({ name: crypto.randomUUID(), type: 'process' })
  const flow = await client.createFlow({ name: 'flow' })
  const deployment = await client.createDeployment({
    name: 'deployment',
    flow_id: flow.id,
    work_pool_name: pool.name,
    enforce_parameter_schema: false,
  })
  const { id } = await client.createFlowRunFromDeployment(deployment.id, { job_variables })
  const stub = asStub(homeStub(test.workspace, homeKeyOf(id)))
  const agent = { agent_id: crypto.randomUUID(), name: 'agent', version: '0.1.0' }
  const forget = async () => {
    await evictDurableObject(stub)
    // A clock that stands still would stand behind what the last life has counted on from it.
    vi.setSystemTime(Date.now() + 1)
  }
  await forget()
  return {
    id,
    client,
    forget,
    state: async () => (await client.readFlowRun(id)).state_name,
    /** Lets the time pass; the alarm rings whenever it is set to, each time in a new life of the object. */
    pass: async (seconds: number) => {
      const end = Date.now() + seconds * 1000
      for (let rings = 0; rings < 500; rings += 1) {
        const at = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
        if (at === null || at > end) {
          break
        }
        vi.setSystemTime(Math.max(Date.now(), at) + 1)
        await runDurableObjectAlarm(stub)
        await forget()
      }
      vi.setSystemTime(end)
    },
    begin: async () => {
      const { runs } = await client.claim(pool.name, { agent, limit: 1 })
      await forget()
      const execution = { flow_run_id: id, fence: runs[0]?.fence ?? 0 }
      const { agent_id } = agent
      return {
        inside: clientOf(runs[0]?.run_token),
        accept: async () => {
          const executions = [execution]
          const { results } = await client.accept(pool.name, { agent_id, executions })
          await forget()
          return results[0]?.answer
        },
        renew: async () => {
          const { results } = await client.renew(pool.name, { agent, executions: [execution] })
          await forget()
          return results[0]?.answer
        },
        finish: async (end: object) => {
          const executions = [{ ...execution, ...end }]
          const { results } = await client.finish(pool.name, { agent_id, executions })
          await forget()
          return results[0]?.state?.name
        },
      }
    },
  }
}

describe('with the object gone between any two steps', () => {
  it('a run becomes late, and a claim that is not accepted comes back', async () => {
    const run = await aRun()
    await run.pass(16)
    expect(await run.state()).toBe('Late')
    const { accept } = await run.begin()
    expect(await run.state()).toBe('Pending')
    await run.pass(16)
    expect(await accept()).toBe('stop')
    const states = await run.client.readFlowRunStates(run.id)
    // It is late still.
    expect(states.map(({ name }) => name)).toEqual([
      'Scheduled',
      'Late',
      'Pending',
      'Scheduled',
      'Late',
    ])
  })

  it('a run that was never begun goes back when its lost agent proves it', async () => {
    const run = await aRun()
    const { accept, finish } = await run.begin()
    expect(await accept()).toBe('go')
    await run.pass(46)
    expect(await run.state()).toBe('Crashed')
    expect(await finish({ not_started: true, interrupted: true })).toBe('Scheduled')
    expect(await run.client.readFlowRun(run.id)).toMatchObject({ run_count: 0, end_time: null })
    expect(await (await run.begin()).accept()).toBe('go')
  })

  it('a run goes on with its agent, and is given up with it', async () => {
    const run = await aRun()
    const { accept, inside, renew } = await run.begin()
    await accept()
    await inside.setFlowRunState(run.id, { type: 'RUNNING' })
    await run.pass(46)
    expect(await run.state()).toBe('Crashed')
    expect(await renew()).toBe('keep')
    expect(await run.client.readFlowRun(run.id)).toMatchObject({
      state_name: 'Running',
      run_count: 1,
    })
    await run.pass(400)
    expect(await run.state()).toBe('Crashed')
    expect(await renew()).toBe('stop')
  })

  it('a run that hangs before it has begun is given up, and stopped', async () => {
    const run = await aRun({ start_timeout_seconds: 60 })
    const { accept, inside, renew, finish } = await run.begin()
    await accept()
    await run.pass(30)
    expect(await renew()).toBe('keep')
    await run.pass(31)
    expect(await run.state()).toBe('Crashed')
    const late = await inside.setFlowRunState(run.id, { type: 'RUNNING' })
    expect(late.status).toBe('ABORT')
    expect(await renew()).toBe('cancel')
    expect(await finish({ signal: 'SIGTERM' })).toBe('Crashed')
  })

  it('a pause times out, and what nobody stops is cancelled', async () => {
    const run = await aRun()
    await run.client.setFlowRunState(run.id, { type: 'RUNNING' })
    await run.forget()
    const pause_timeout = formatTimestamp((Date.now() + 60_000) * 1000)
    await run.client.setFlowRunState(run.id, { type: 'PAUSED', state_details: { pause_timeout } })
    await run.pass(61)
    expect(await run.state()).toBe('Failed')

    const other = await aRun()
    await other.client.setFlowRunState(other.id, { type: 'RUNNING' })
    await other.client.setFlowRunState(other.id, { type: 'CANCELLING' })
    await other.forget()
    await other.pass(301)
    expect(await other.client.readFlowRun(other.id)).toMatchObject({
      state_name: 'Cancelled',
      state: { message: 'Nobody confirmed that the run was stopped.' },
    })
  })
})

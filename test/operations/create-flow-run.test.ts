import { describe, expect, it } from 'vitest'
import { flowRunId, homeKeyOf } from '#core/flow-run-id.ts'
import { pickPoollessHome } from '#storage/homes.ts'
import { reserveIdempotencyKey } from '#storage/idempotency-keys.ts'
import { createFlowRun } from '../../worker/operations/create-flow-run.ts'
import { aWorkspace } from '../support/workspace.ts'

const now = () => Date.now() * 1000
const maker = { kind: 'run' as const, flow_run_id: crypto.randomUUID() }

describe('createFlowRun', () => {
  it('makes the run of a key that was reserved by a request that died', async () => {
    const { workspace, client } = await aWorkspace()
    const flow = await client.createFlow({ name: 'flow' })
    const home = await pickPoollessHome(workspace, crypto.randomUUID())
    const reserved = flowRunId(home, Date.now(), crypto.getRandomValues(new Uint8Array(10)))
    const key = { flow_id: flow.id, key: 'k', flow_run_id: reserved }
    expect(await reserveIdempotencyKey(workspace, key, now())).toBe(reserved)

    const body = { flow_id: flow.id, idempotency_key: 'k' }
    const made = await createFlowRun(workspace, maker, body, now())
    expect(made).toMatchObject({
      created: true,
      run: { id: reserved, created_by: { type: 'FLOW_RUN', id: maker.flow_run_id } },
    })
    expect(await createFlowRun(workspace, maker, body, now())).toMatchObject({
      created: false,
      run: { id: reserved },
    })
  })

  it('puts a run of a pool at the home of the pool, and others at homes without a pool', async () => {
    const { workspace, client } = await aWorkspace()
    const flow = await client.createFlow({ name: 'flow' })
    for (const name of ['one', 'two']) {
      await client.createWorkPool({ name, type: 'process' })
    }
    const homes = await Promise.all(
      ['one', 'one', 'two', null].map(async (work_pool_name) => {
        const body = { flow_id: flow.id, work_pool_name }
        return homeKeyOf((await createFlowRun(workspace, maker, body, now())).run.id)
      }),
    )
    expect(homes[0]).toBe(homes[1])
    expect(new Set(homes).size).toBe(3)
  })

  it("takes the flow's labels, and the request's over them", async () => {
    const { workspace, client } = await aWorkspace()
    const flow = await client.createFlow({ name: 'flow', labels: { team: 'a', tier: 1 } })
    const body = { flow_id: flow.id, labels: { tier: 2 } }
    const { run } = await createFlowRun(workspace, maker, body, now())
    expect(run.labels).toEqual({ team: 'a', tier: 2, 'prefect.flow.id': flow.id })
  })
})

import { beforeAll, describe, expect, it } from 'vitest'
import type { Deployment } from '../../core/wire/deployment.ts'
import { aPrefect, SINCE_3_6 } from '../support/node/prefect.ts'

const prefect = aPrefect()
const inPool = ['--pool', 'p']

/** Runs commands that do not depend on each other side by side; each must succeed. */
async function all(...commands: string[][]): Promise<string[]> {
  return await Promise.all(commands.map((words) => prefect.succeeds(['work-queue', ...words])))
}

const refused = (...words: string[]) => prefect.fails(['work-queue', ...words])

let deployment: Deployment

beforeAll(async () => {
  const { client } = prefect
  await client.createWorkPool({ name: 'p', type: 'process' })
  await client.createWorkQueue('p', { name: 'busy', concurrency_limit: 5 })
  const flow = await client.createFlow({ name: 'f' })
  const body = { name: 'd', flow_id: flow.id, work_pool_name: 'p', work_queue_name: 'busy' }
  deployment = await client.createDeployment(body)
})

describe('prefect work-queue', () => {
  it('creates queues in a pool, and in the pool of those that name none', async () => {
    await all(['create', 'fast', ...inPool, '--limit', '4', '--priority', '1'], ['create', 'solo'])
    const { client } = prefect
    const fast = await client.readWorkQueue('p', 'fast')
    expect(fast).toMatchObject({ concurrency_limit: 4, priority: 1 })
    const solo = await client.readWorkQueue('default-agent-pool', 'solo')
    expect(solo).toMatchObject({ concurrency_limit: null })
    const [taken, nowhere] = await Promise.all([
      refused('create', 'fast', ...inPool),
      refused('create', 'fast', '--pool', 'nowhere'),
    ])
    expect(taken).toContain("'fast' already exists")
    expect(nowhere).toContain("'nowhere' not found")
  })

  it.runIf(SINCE_3_6)('lists and inspects them', async () => {
    const { id } = await prefect.client.readWorkQueue('p', 'fast')
    const [listed = '', everywhere = '', ...inspected] = await all(
      ['ls', ...inPool, '--output', 'json'],
      ['ls'],
      ['inspect', 'fast', ...inPool, '--output', 'json'],
      ['inspect', id, '--output', 'json'],
      ['inspect', 'solo', '--output', 'json'],
    )
    const queues = JSON.parse(listed) as { name: string }[]
    expect(queues.map(({ name }) => name).toSorted()).toEqual(['busy', 'default', 'fast'])
    expect(everywhere).toContain('solo')
    const [byName, byId, solo] = inspected.map((text) => JSON.parse(text) as { name: string })
    expect(byName).toMatchObject({ id, name: 'fast' })
    expect(byId).toEqual(byName)
    expect(solo).toMatchObject({ name: 'solo', work_pool_name: 'default-agent-pool' })
    expect(await refused('inspect', 'nothing', ...inPool)).toContain('No work queue')
  })

  it('limits, pauses and resumes them', async () => {
    const { client } = prefect
    await all(
      ['set-concurrency-limit', 'fast', '9', ...inPool],
      ['pause', 'fast', ...inPool],
      ['clear-concurrency-limit', 'busy', ...inPool],
    )
    expect(await client.readWorkQueue('p', 'fast')).toMatchObject({
      concurrency_limit: 9,
      is_paused: true,
      status: 'PAUSED',
    })
    expect(await client.readWorkQueue('p', 'busy')).toMatchObject({ concurrency_limit: null })
    await all(['resume', 'fast', ...inPool], ['set-concurrency-limit', 'busy', '2', ...inPool])
    expect(await client.readWorkQueue('p', 'fast')).toMatchObject({ is_paused: false })
    expect(await client.readWorkQueue('p', 'busy')).toMatchObject({ concurrency_limit: 2 })
  })

  it.runIf(SINCE_3_6)('shows what waits in a queue and what holds its slots', async () => {
    const { client } = prefect
    const [holder, waiting] = await Promise.all([
      client.createFlowRunFromDeployment(deployment.id, {}),
      client.createFlowRunFromDeployment(deployment.id, {}),
    ])
    await client.setFlowRunState(holder.id, { type: 'PENDING' })
    const [preview = '', runs = '', slots = ''] = await all(
      ['preview', 'busy', ...inPool],
      ['read-runs', 'busy', ...inPool],
      ['slots', 'busy', ...inPool, '--output', 'json'],
    )
    expect(preview).toContain(waiting.id)
    expect(runs).toContain(waiting.id)
    expect(runs).not.toContain(holder.id)
    expect(JSON.parse(slots)).toMatchObject({
      active_slots: 1,
      concurrency_limit: 2,
      flow_runs: [{ id: holder.id, state_name: 'Pending' }],
    })
  })

  it('deletes a queue, but not the default one of a pool', async () => {
    const [deleted] = await all(['delete', 'fast', ...inPool])
    expect(deleted).toContain("deleted work queue 'fast'")
    const [gone, standard] = await Promise.all([
      refused('delete', 'fast', ...inPool),
      refused('delete', 'default', ...inPool),
    ])
    expect(gone).toContain('No work queue')
    expect(standard).toContain('409')
  })
})

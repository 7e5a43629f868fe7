import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../core/wire/common.ts'
import type { WorkPool } from '../../core/wire/work-pool.ts'
import { aPrefect, SINCE_3_6 } from '../support/node/prefect.ts'

const prefect = aPrefect()

/** Runs commands that do not depend on each other side by side; each must succeed. */
async function all(...commands: string[][]): Promise<string[]> {
  return await Promise.all(commands.map((words) => prefect.succeeds(words)))
}

const refused = (...words: string[]) => prefect.fails(words)

describe('prefect work-pool', () => {
  it('creates pools of types that the collections view offers', async () => {
    const [made = ''] = await all(
      ['work-pool', 'create', 'local', '--type', 'process'],
      ['work-pool', 'create', 'boxes', '--type', 'docker', '--paused'],
    )
    expect(made).toContain("Created work pool 'local'!")
    const local = await prefect.client.readWorkPool('local')
    expect(local).toMatchObject({ type: 'process', is_paused: false, status: 'NOT_READY' })
    expect(local.base_job_template).toHaveProperty('job_configuration.working_dir')
    const boxes = await prefect.client.readWorkPool('boxes')
    expect(boxes).toMatchObject({ type: 'docker', is_paused: true, status: 'PAUSED' })
    expect(boxes.base_job_template).toHaveProperty('job_configuration.image')
  })

  it('refuses a taken name, a reserved one and a type that is not there', async () => {
    const [taken, reserved, unknown] = await Promise.all([
      refused('work-pool', 'create', 'local', '--type', 'process'),
      refused('work-pool', 'create', 'prefect-own', '--type', 'process'),
      refused('work-pool', 'create', 'other', '--type', 'no-such-type'),
    ])
    expect(taken).toContain("'local' already exists")
    expect(reserved).toContain('reserved')
    expect(unknown).toContain('Unknown work pool type')
  })

  it('takes a template of the user’s own, shows it, and gives the default one', async () => {
    const template = {
      job_configuration: { command: '{{ command }}', own: '{{ colour }}' },
      variables: {
        type: 'object',
        properties: {
          command: { type: 'string' },
          colour: { type: 'string', default: 'red' },
        },
      },
    }
    const file = prefect.sandbox.path('template.json')
    writeFileSync(file, JSON.stringify(template))
    const own = ['--base-job-template', file]
    const [, standard = ''] = await all(
      ['work-pool', 'create', 'own', '--type', 'process', ...own],
      ['work-pool', 'get-default-base-job-template', '--type', 'process'],
    )
    const inspected = await prefect.json<WorkPool>(['work-pool', 'inspect', 'own', '-o', 'json'])
    expect(inspected.base_job_template).toEqual(template)
    const { base_job_template } = await prefect.client.readWorkPool('local')
    expect(JSON.parse(standard) as JsonObject).toEqual(base_job_template)
  })

  it('refuses a template with a placeholder that is no variable', async () => {
    const file = prefect.sandbox.path('broken.json')
    const broken = {
      job_configuration: { a: '{{ missing }}' },
      variables: { properties: { b: {} } },
    }
    writeFileSync(file, JSON.stringify(broken))
    const words = ['work-pool', 'create', 'broken', '--type', 'process']
    expect(await refused(...words, '--base-job-template', file)).toContain('missing')
  })

  it('updates, limits, pauses and resumes', async () => {
    await all(
      ['work-pool', 'update', 'local', '--description', 'Here', '--concurrency-limit', '3'],
      ['work-pool', 'set-concurrency-limit', 'boxes', '7'],
      ['work-pool', 'resume', 'boxes'],
      ['work-pool', 'pause', 'own'],
    )
    expect(await prefect.client.readWorkPool('local')).toMatchObject({
      description: 'Here',
      concurrency_limit: 3,
      active_slots: 0,
    })
    expect(await prefect.client.readWorkPool('own')).toMatchObject({ is_paused: true })
    await all(['work-pool', 'clear-concurrency-limit', 'boxes'])
    expect(await prefect.client.readWorkPool('boxes')).toMatchObject({
      concurrency_limit: null,
      is_paused: false,
    })
  })

  it.runIf(SINCE_3_6)('lists all pools, and the slots of one', async () => {
    const [listed = '', slots = ''] = await all(
      ['work-pool', 'ls', '--output', 'json'],
      ['work-pool', 'slots', 'local', '--output', 'json'],
    )
    const pools = JSON.parse(listed) as WorkPool[]
    expect(pools.map(({ name }) => name).toSorted()).toEqual(['boxes', 'local', 'own'])
    expect(JSON.parse(slots)).toMatchObject({
      active_slots: 0,
      concurrency_limit: 3,
      queues: [{ queue_name: 'default', active_slots: 0, flow_runs: [] }],
    })
  })

  it('previews what is to run in a pool', async () => {
    const { client } = prefect
    const flow = await client.createFlow({ name: 'soon' })
    const body = { name: 'd', flow_id: flow.id, work_pool_name: 'local' }
    const deployment = await client.createDeployment(body)
    const run = await client.createFlowRunFromDeployment(deployment.id, {})
    const [preview] = await all(['work-pool', 'preview', 'local', '--hours', '2'])
    expect(preview).toContain(run.id)
  })

  it('deletes a pool', async () => {
    await all(['work-pool', 'delete', 'own'])
    const [inspected, deleted] = await Promise.all([
      refused('work-pool', 'inspect', 'own'),
      refused('work-pool', 'delete', 'own'),
    ])
    expect(inspected).toContain("'own' not found")
    expect(deleted).toContain("'own' does not exist")
  })
})

import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Deployment } from '../../core/wire/deployment.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { aPrefect, SINCE_3_6 } from '../support/node/prefect.ts'
import { until } from '../support/node/until.ts'

const prefect = aPrefect()

beforeAll(async () => {
  await prefect.client.createWorkPool({ name: 'p', type: 'process' })
})

const slugs = ({ schedules }: Deployment) => new Set(schedules.map(({ slug }) => slug))

describe('flow.deploy()', () => {
  it('makes a deployment with everything that it may have, and changes it when told again', async () => {
    const { code, stderr } = await prefect.python('deploying.py', ['first', 'second'])
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const made = await prefect.client.readDeploymentByName('hello', 'library')
    expect(made).toMatchObject({
      description: 'By the library',
      version: 'second',
      tags: ['a', 'second'],
      parameters: { name: 'second' },
      job_variables: { env: { COLOUR: 'second' } },
      work_pool_name: 'p',
      work_queue_name: 'fast',
      entrypoint: 'hello.py:hello',
      paused: false,
      enforce_parameter_schema: true,
      global_concurrency_limit: { limit: 3, active_slots: 0 },
      parameter_openapi_schema: {
        properties: { name: { default: 'you' }, numbers: { type: 'integer' } },
      },
      pull_steps: [
        { 'prefect.deployments.steps.set_working_directory': { directory: prefect.flows } },
      ],
    })
    expect(slugs(made)).toEqual(new Set(['ends', 'mornings']))
    const queues = await prefect.client.filterWorkQueues('p')
    expect(queues.map(({ name }) => name)).toContain('fast')
  })
})

describe('prefect deploy', () => {
  let nightly: Deployment
  let tidy: Deployment

  it('makes all deployments of a prefect.yaml', async () => {
    const said = await prefect.succeeds(['--no-prompt', 'deploy', '--all'], {
      cwd: join(prefect.flows, 'project'),
      env: { STAGE: 'stage' },
    })
    expect(said).toContain("Deployment 'import-orders/nightly' successfully created")
    ;[nightly, tidy] = await Promise.all([
      prefect.client.readDeploymentByName('import-orders', 'nightly'),
      prefect.client.readDeploymentByName('tidy-up', 'tidy'),
    ])
    expect(nightly).toMatchObject({
      description: 'Every night',
      version: '7',
      tags: ['orders', 'stage'],
      parameters: { day: 'today' },
      job_variables: { env: { STAGE: 'test' } },
      work_queue_name: 'fast',
      entrypoint: 'jobs.py:import_orders',
      parameter_openapi_schema: { required: ['day'] },
      concurrency_options: { collision_strategy: 'CANCEL_NEW' },
      global_concurrency_limit: { limit: 2 },
      pull_steps: [
        {
          'prefect.deployments.steps.set_working_directory': {
            directory: join(prefect.flows, 'project'),
          },
        },
      ],
    })
    const bySlug = Object.fromEntries(nightly.schedules.map((found) => [found.slug, found]))
    expect(bySlug).toMatchObject({
      night: {
        active: true,
        schedule: { cron: '30 2 * * *', timezone: 'America/New_York' },
        parameters: { size: 20 },
      },
      often: { active: false, schedule: { interval: 900, timezone: 'UTC' } },
      // The package puts a start before it.
      weekly: {
        schedule: {
          rrule: expect.stringMatching(/FREQ=WEEKLY;BYDAY=MO$/) as string,
          timezone: 'Europe/London',
        },
      },
    })
    expect(tidy).toMatchObject({
      paused: true,
      pull_steps: [
        { 'prefect.deployments.steps.run_shell_script': { id: 'where', script: 'pwd' } },
        {
          'prefect.deployments.steps.set_working_directory': { directory: '{{ where.stdout }}' },
        },
      ],
    })
  })

  it('makes them again without a change to their schedules', async () => {
    await prefect.succeeds(['--no-prompt', 'deploy', '--all'], {
      cwd: join(prefect.flows, 'project'),
      env: { STAGE: 'stage' },
    })
    const again = await prefect.client.readDeploymentByName('import-orders', 'nightly')
    expect(again.id).toBe(nightly.id)
    const ids = ({ schedules }: Deployment) => schedules.map(({ id }) => id).toSorted()
    expect(ids(again)).toEqual(ids(nightly))
  })
})

describe('prefect deployment', () => {
  it.runIf(SINCE_3_6)('lists and inspects', async () => {
    const [listed, inspected] = await Promise.all([
      prefect.succeeds(['deployment', 'ls', '--output', 'json']),
      prefect.succeeds(['deployment', 'inspect', 'import-orders/nightly', '--output', 'json']),
    ])
    const names = (JSON.parse(listed) as Deployment[]).map(({ name }) => name)
    expect(names.toSorted()).toEqual(['library', 'nightly', 'tidy'])
    expect(JSON.parse(inspected)).toMatchObject({
      name: 'nightly',
      work_pool_name: 'p',
      parameters: { day: 'today' },
      automations: [],
    })
    expect(await prefect.fails(['deployment', 'inspect', 'import-orders/none'])).toContain(
      'not found',
    )
  })

  it('runs with parameters, job variables, tags and a time of its own', async () => {
    const [, , later] = await Promise.all([
      prefect.succeeds(['deployment', 'run', 'hello/library', '-p', 'numbers=5', '-p', 'name=me']),
      prefect.succeeds(['deployment', 'run', 'hello/library', '-p', 'name=env', '-jv', 'env.A=1']),
      prefect.succeeds([
        'deployment',
        'run',
        'import-orders/nightly',
        '--start-in=2 hours',
        '--flow-run-name=later',
        '--tag=x',
      ]),
    ])
    expect(later).toContain('later')
    const runs = await prefect.client.filterFlowRuns({
      flow_runs: { tags: { all_: ['x'] } },
    })
    const [run] = runs
    expect(run).toMatchObject({
      name: 'later',
      state_name: 'Scheduled',
      parameters: { day: 'today' },
    })
    const delay = Date.parse(run?.expected_start_time ?? '') - Date.now()
    expect(delay).toBeGreaterThan(7000_000)
    const { id } = await prefect.client.readDeploymentByName('hello', 'library')
    const library = await prefect.client.filterFlowRuns({
      flow_runs: {
        deployment_id: { any_: [id] },
        state: { name: { any_: ['Scheduled', 'Late'] } },
      },
      sort: 'NAME_ASC',
    })
    const manual = library.filter(({ auto_scheduled }) => !auto_scheduled)
    expect(manual.map(({ parameters }) => parameters)).toContainEqual({ name: 'me', numbers: 5 })
    expect(manual.map(({ job_variables }) => job_variables)).toContainEqual({ 'env.A': 1 })
  })

  it('refuses parameters that its schema does not allow', async () => {
    const [type, missing] = await Promise.all([
      prefect.fails(['deployment', 'run', 'hello/library', '-p', 'numbers=many']),
      prefect.fails(['deployment', 'run', 'hello/library', '-p', 'unknown=1']),
    ])
    expect(type).toContain("'many' is not of type 'integer'")
    expect(missing).toContain('unknown')
    const wrong = await prefect.python(
      `from prefect.deployments import run_deployment
run_deployment("import-orders/nightly", parameters={"size": "large"}, timeout=0)`,
    )
    expect(wrong.stderr).toContain("'large' is not of type 'integer'")
  })

  it.runIf(SINCE_3_6)('has schedules made, paused, resumed, deleted and cleared', async () => {
    const name = 'tidy-up/tidy'
    const make = (...words: string[]) =>
      prefect.succeeds(['deployment', 'schedule', 'create', name, ...words])
    await make('--cron', '0 4 * * *', '--timezone', 'Asia/Tokyo')
    await make('--interval', '600', '--no-active', '--accept-yes')
    await make('--rrule', 'FREQ=DAILY;COUNT=3', '--accept-yes')
    const read = () => prefect.client.readDeploymentByName('tidy-up', 'tidy')
    const made = (await read()).schedules
    expect(made).toHaveLength(3)
    const [cron, interval, rrule] = ['cron', 'interval', 'rrule'].map((kind) =>
      made.find(({ schedule }) => kind in schedule),
    )
    expect(cron).toMatchObject({ schedule: { timezone: 'Asia/Tokyo' }, active: true })
    expect(interval).toMatchObject({ schedule: { interval: 600 }, active: false })
    const [listed] = await Promise.all([
      prefect.succeeds(['deployment', 'schedule', 'ls', name]),
      prefect.succeeds(['deployment', 'schedule', 'pause', name, cron?.id ?? '']),
      prefect.succeeds(['deployment', 'schedule', 'resume', name, interval?.id ?? '']),
      prefect.succeeds(['deployment', 'schedule', 'delete', name, rrule?.id ?? '', '--accept-yes']),
    ])
    expect(listed).toContain(cron?.id ?? '')
    const active = (await read()).schedules.map((found) => [found.id, found.active] as const)
    expect(new Map(active)).toEqual(
      new Map([
        [cron?.id, false],
        [interval?.id, true],
      ]),
    )
    await prefect.succeeds(['deployment', 'schedule', 'pause', '--all'])
    expect((await read()).schedules.some((found) => found.active)).toBe(false)
    await prefect.succeeds(['deployment', 'schedule', 'clear', name, '--accept-yes'])
    expect((await read()).schedules).toEqual([])
  })

  it('is deleted', async () => {
    await prefect.succeeds(['deployment', 'delete', 'tidy-up/tidy'])
    expect(await prefect.fails(['deployment', 'delete', 'tidy-up/tidy'])).toContain('not found')
  })
})

describe('serve()', () => {
  it('runs what is asked of its deployments, and pauses them when it ends', async () => {
    const served = prefect.spawnPython('serving.py')
    await served.says('prefect deployment run')
    const { client } = prefect
    const deployment = await client.readDeploymentByName('hello', 'served')
    expect(deployment).toMatchObject({ work_pool_name: null, paused: false })
    const runs = await Promise.all([
      client.createFlowRunFromDeployment(deployment.id, { parameters: { numbers: 3 } }),
      client.createFlowRunFromDeployment(deployment.id, { parameters: { name: 'two' } }),
    ])
    const ended: FlowRun[] = []
    await until(
      'both runs are completed',
      async () => {
        ended.splice(0, 2, ...(await Promise.all(runs.map(({ id }) => client.readFlowRun(id)))))
        return ended.every(({ state_type }) => state_type === 'COMPLETED')
      },
      90_000,
    )
    expect(ended.map(({ parameters }) => parameters)).toEqual([
      { name: 'server', numbers: 3 },
      { name: 'two' },
    ])
    expect((await client.readDeploymentByName('hello', 'served')).status).toBe('READY')
    const { code } = await served.stop()
    expect(code).toBe(0)
    expect(await client.readDeploymentByName('hello', 'served')).toMatchObject({ paused: true })
  })
})

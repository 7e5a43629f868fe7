import { describe, expect, it } from 'vitest'
import { deploymentBody, wantedSchedules } from '../../../agent/cli/deployment-body.ts'
import { parseProject } from '../../../agent/cli/project-file.ts'

const FULL = `
name: shop
prefect-version: 3.4.0
build: null
pull:
  - prefect.deployments.steps.git_clone:
      repository: https://example.com/shop.git
definitions:
  pool: &pool
    name: default
    work_queue_name: high
    job_variables: {}
deployments:
  - name: nightly
    version: 1.5
    tags: [etl, 7]
    description: Loads the shop
    entrypoint: flows/etl.ts:etl
    parameters: { day: 2026-01-02 }
    concurrency_limit: { limit: 2, collision_strategy: CANCEL_NEW }
    enforce_parameter_schema: true
    paused: true
    work_pool: { <<: *pool, job_variables: { env: { A: '1' } } }
    schedules:
      - { cron: 0 3 * * *, timezone: Europe/Berlin, slug: night, active: false }
      - { interval: 3600, anchor_date: 2026-01-01 00:00:00, parameters: { small: true } }
  - name: bare
    version: null
    entrypoint: etl.py:run
    work_pool: *pool
    pull:
      - prefect.deployments.steps.set_working_directory: { directory: /srv }
`

const SOURCE = {
  flowName: 'etl',
  description: 'From the code',
  parameterSchema: { type: 'object' },
}

describe('parseProject', () => {
  it("reads Prefect's keys, with the pull steps that hold for each deployment", () => {
    const [nightly, bare] = parseProject(FULL, 'prefect.yaml')
    expect(nightly).toMatchObject({
      name: 'nightly',
      version: '1.5',
      tags: ['etl', '7'],
      work_pool: { name: 'default', work_queue_name: 'high', job_variables: { env: { A: '1' } } },
      pull: [{ 'prefect.deployments.steps.git_clone': { repository: expect.any(String) } }],
    })
    expect(bare?.pull).toEqual([
      { 'prefect.deployments.steps.set_working_directory': { directory: '/srv' } },
    ])
  })

  it.each([
    ['deployments: []', /deployments:/],
    ['name: x', /deployments:/],
    ['deployments: [{ name: a }]', /deployments\[0\]\.entrypoint/],
    ['deployments: [{ name: a, entrypoint: f.ts:f, shedules: [] }]', /unknown: shedules/],
    [
      'deployments: [{ name: a, entrypoint: f.ts:f, schedules: [{ cron: x, interval: 3 }] }]',
      /schedules\[0\]: give exactly one/,
    ],
    ['deployments: [{ name: a/b, entrypoint: f.ts:f }]', /deployments\[0\]\.name/],
    ['deployments: [{ name: a, entrypoint: f.ts:f, build: [{ x: {} }] }]', /build first/],
    ['deployments: [{ name: a, entrypoint: f.ts:f, version: "{{ $V }}" }]', /\{\{ \$V \}\}/],
    ['deployments: [', /not valid YAML/],
  ])('refuses %s, naming the key', (source, message) => {
    expect(() => parseProject(source, 'prefect.yaml')).toThrow(message)
  })

  it('leaves variables and blocks for the run to fill in', () => {
    const source = `deployments: [{ name: a, entrypoint: f.ts:f, parameters: { x: '{{ prefect.variables.x }}' } }]`
    expect(parseProject(source, 'f')[0]?.parameters).toEqual({ x: '{{ prefect.variables.x }}' })
  })
})

describe('deploymentBody', () => {
  const [nightly, bare] = parseProject(FULL, 'prefect.yaml')

  it('says all that the file says', () => {
    expect(nightly && deploymentBody(nightly, SOURCE, '/shop')).toEqual({
      entrypoint: 'flows/etl.ts:etl',
      parameter_openapi_schema: { type: 'object' },
      pull_steps: nightly?.pull,
      description: 'Loads the shop',
      version: '1.5',
      tags: ['etl', '7'],
      parameters: { day: '2026-01-02' },
      enforce_parameter_schema: true,
      paused: true,
      work_pool_name: 'default',
      work_queue_name: 'high',
      job_variables: { env: { A: '1' } },
      concurrency_limit: 2,
      concurrency_options: { collision_strategy: 'CANCEL_NEW' },
    })
    expect(nightly && wantedSchedules(nightly)).toEqual([
      {
        schedule: { cron: '0 3 * * *', timezone: 'Europe/Berlin' },
        slug: 'night',
        active: false,
      },
      {
        schedule: { interval: 3600, anchor_date: '2026-01-01T00:00:00.000000Z' },
        parameters: { small: true },
      },
    ])
  })

  it('leaves out what the file leaves out, and checks nothing where the code can not be asked', () => {
    const python = { flowName: 'run', description: undefined, parameterSchema: undefined }
    expect(bare && deploymentBody({ ...bare, pull: null }, python, '/shop')).toEqual({
      entrypoint: 'etl.py:run',
      parameter_openapi_schema: null,
      enforce_parameter_schema: false,
      pull_steps: [{ 'prefect.deployments.steps.set_working_directory': { directory: '/shop' } }],
      work_pool_name: 'default',
      work_queue_name: 'high',
      job_variables: {},
    })
    expect(bare && wantedSchedules(bare)).toBeUndefined()
  })
})

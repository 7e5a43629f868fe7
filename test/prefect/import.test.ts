import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../../core/client.ts'
import type { Imported } from '../../agent/cli/import/import-run.ts'
import { type CommandLine, makeCommandLine } from '../support/node/headgate.ts'
import { aPrefect, type PrefectProcess } from '../support/node/prefect.ts'
import { freePort } from '../support/node/sandbox.ts'
import { until } from '../support/node/until.ts'

interface Summary {
  dry_run: boolean
  created: number
  updated: number
  unchanged: number
  skipped: number
  failed: number
  objects: Imported[]
}

const AUTH = 'admin:pass word'
const prefect = aPrefect()
let server: PrefectProcess
let source: Client
let headgate: CommandLine

beforeAll(async () => {
  const port = await freePort(28_400 + randomInt(0, 200) * 5)
  const url = `http://127.0.0.1:${port}/api`
  const env = {
    PREFECT_HOME: prefect.sandbox.path('source'),
    PREFECT_API_URL: url,
    PREFECT_API_AUTH_STRING: AUTH,
    PREFECT_SERVER_API_AUTH_STRING: AUTH,
    PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
  }
  server = prefect.spawn(['server', 'start', '--port', String(port)], { env })
  const isUp = () =>
    fetch(`${url}/health`).then(
      (answer) => answer.ok,
      () => false,
    )
  await until('the server of Prefect is up', isUp, 90_000)
  const seeded = await prefect.python('seed_import.py', [], { env })
  expect(seeded.code, seeded.stderr).toBe(0)
  const authorization = `Basic ${Buffer.from(AUTH).toString('base64')}`
  source = new Client({
    apiUrl: url,
    fetch: (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set('Authorization', authorization)
      return fetch(input, { ...init, headers })
    },
  })
  const { api_url, api_key } = prefect.server.addresses
  headgate = makeCommandLine({ env: { HEADGATE_API_URL: api_url, HEADGATE_API_KEY: api_key } })
})

afterAll(async () => {
  await server?.stop()
})

function importAll(...words: string[]): Promise<Summary> {
  const from = ['--from-url', source.apiUrl, '--from-auth-string', AUTH]
  return headgate.json<Summary>('import', ...from, ...words)
}

const told = ({ objects }: Summary) => objects.map(({ kind, name }) => `${kind} ${name}`).toSorted()

describe('headgate import', () => {
  it('says what it would do, and does nothing', async () => {
    const summary = await importAll('--dry-run')
    expect(summary).toMatchObject({ dry_run: true, created: 17, updated: 0, skipped: 0, failed: 0 })
    expect(await prefect.client.countFlows()).toBe(0)
    expect(await prefect.client.countVariables()).toBe(0)
    expect(await prefect.client.countBlockDocuments()).toBe(0)
  })

  it('copies everything under its name', async () => {
    const summary = await importAll()
    expect(summary).toMatchObject({ dry_run: false, created: 16, unchanged: 1, failed: 0 })
    expect(told(summary)).toEqual(
      [
        'automation react',
        'automation tell',
        'block custom-webhook/tell',
        'block import-inner/inner',
        'block import-outer/outer',
        'block secret/db-password',
        'block slack-webhook/chat',
        'concurrency limit db',
        'concurrency limit tag:heavy',
        'deployment etl/bare',
        'deployment etl/daily',
        'flow etl',
        'variable plain',
        'variable where',
        'work pool procs',
        'work queue procs/default',
        'work queue procs/fast',
      ].toSorted(),
    )
    const { client } = prefect
    expect(await client.readVariable('where')).toMatchObject({
      value: { city: 'Rome', n: [1, 2.5] },
      tags: ['a'],
    })
    expect(await client.readWorkPool('procs')).toMatchObject({
      type: 'process',
      description: 'd',
      concurrency_limit: 7,
      base_job_template: (await source.readWorkPool('procs')).base_job_template,
    })
    expect(await client.readWorkQueue('procs', 'fast')).toMatchObject({
      priority: 1,
      concurrency_limit: 2,
    })
    expect(await client.readConcurrencyLimit('db')).toMatchObject({
      limit: 5,
      slot_decay_per_second: 0.5,
    })
    expect(await client.readConcurrencyLimit('tag:heavy')).toMatchObject({ limit: 2 })
  })

  it('copies deployments with all that they have', async () => {
    const theirs = await source.readDeploymentByName('etl', 'daily')
    const ours = await prefect.client.readDeploymentByName('etl', 'daily')
    for (const field of [
      'tags',
      'parameters',
      'job_variables',
      'description',
      'path',
      'entrypoint',
      'parameter_openapi_schema',
      'enforce_parameter_schema',
      'work_pool_name',
      'work_queue_name',
      'paused',
    ] as const) {
      expect(ours[field], field).toEqual(theirs[field])
    }
    expect(ours.global_concurrency_limit?.limit).toBe(3)
    const dates = (deployment: typeof ours) =>
      deployment.schedules
        .map(({ schedule, active, parameters, slug }) =>
          JSON.stringify([schedule, active, parameters, slug]),
        )
        .toSorted()
    expect(dates(ours)).toEqual(dates(theirs))
    expect(await prefect.client.readDeploymentByName('etl', 'bare')).toMatchObject({ paused: true })
  })

  it('copies blocks with their secrets, and their references', async () => {
    const { client } = prefect
    const secret = await client.readBlockDocumentByName('secret', 'db-password', true)
    expect(secret.data).toEqual({ value: 's3cret' })
    const outer = await client.readBlockDocumentByName('import-outer', 'outer', true)
    const inner = await client.readBlockDocumentByName('import-inner', 'inner', true)
    expect(outer.data).toMatchObject({ label: 'l', inner: { token: 't0ken' } })
    expect(outer.block_document_references['inner']?.block_document.id).toBe(inner.id)
    const loaded = await prefect.python(
      "from prefect.blocks.core import Block; from prefect.blocks.system import Secret; print(Secret.load('db-password').get())",
    )
    expect(loaded.stdout).toContain('s3cret')
  })

  it('copies automations that act on what is here', async () => {
    const { client } = prefect
    const [react, tell] = await client.filterAutomations({ sort: 'NAME_ASC' })
    const deployment = await client.readDeploymentByName('etl', 'daily')
    const pool = await client.readWorkPool('procs')
    const block = await client.readBlockDocumentByName('custom-webhook', 'tell')
    expect(react).toMatchObject({
      name: 'react',
      actions: [
        { type: 'run-deployment', deployment_id: deployment.id },
        { type: 'pause-work-pool', work_pool_id: pool.id },
      ],
      trigger: {
        threshold: 2,
        within: 300,
        match_related: { 'prefect.resource.id': `prefect.deployment.${deployment.id}` },
      },
    })
    expect(tell).toMatchObject({ actions: [{ block_document_id: block.id }] })
  })

  it('changes nothing when it is repeated, and only what has changed after that', async () => {
    expect(await importAll()).toMatchObject({ created: 0, updated: 0, unchanged: 17, failed: 0 })
    await source.updateVariable('plain', { value: 'changed' })
    await source.updateWorkPool('procs', { concurrency_limit: 8 })
    const { id } = await source.readDeploymentByName('etl', 'daily')
    await source.updateDeployment(id, { description: 'Every single day' })
    const again = await importAll()
    const changed = again.objects.filter(({ outcome }) => outcome === 'updated')
    expect(changed.map(({ name }) => name).toSorted()).toEqual(['etl/daily', 'plain', 'procs'])
    expect(again).toMatchObject({ created: 0, updated: 3, failed: 0 })
    expect((await prefect.client.readVariable('plain')).value).toBe('changed')
    expect(await importAll()).toMatchObject({ updated: 0, unchanged: 17 })
  })

  it('tells of what can not be copied, copies the rest, and fails', async () => {
    const { client } = prefect
    await client.createWorkPool({ name: 'odd', type: 'process' })
    const odd = await source.createWorkPool({ name: 'odd', type: 'docker' })
    await source.createVariable({ name: 'late', value: 1 })
    const flow = await source.readFlowByName('etl')
    await source.createDeployment({ name: 'late', flow_id: flow.id })
    await source.createAutomation({
      name: 'stuck',
      trigger: { type: 'event', posture: 'Reactive', expect: ['x'], threshold: 1, within: 0 },
      actions: [{ type: 'pause-work-pool', source: 'selected', work_pool_id: odd.id }],
    })
    const from = ['--from-url', source.apiUrl, '--from-auth-string', AUTH]
    const { code, stdout, stderr } = await headgate.run('import', ...from, '--paused')
    expect(code).toBe(1)
    expect(stdout).toMatch(/failed\s+work pool\s+odd\s+.*of type process instead of docker/)
    expect(stdout).toMatch(/failed\s+automation\s+stuck\s+.*work pool .* was not copied/)
    expect(stdout).toMatch(/created\s+variable\s+late/)
    expect(stderr).toContain('Repeat the command')
    expect(await client.readDeploymentByName('etl', 'late')).toMatchObject({ paused: true })
    expect(await client.readDeploymentByName('etl', 'daily')).toMatchObject({ paused: false })
  })

  it('says why a source can not be read', async () => {
    const from = ['import', '--from-url', source.apiUrl]
    const refused = await headgate.run(...from)
    expect(refused.code).toBe(4)
    expect(refused.stderr).toContain('--from-auth-string')
    expect((await headgate.run(...from, '--from-key', 'k', '--from-auth-string', 'a')).code).toBe(2)
    const nowhere = await headgate.run('import', '--from-url', 'http://127.0.0.1:1/api')
    expect(nowhere.code).toBe(5)
  })
})

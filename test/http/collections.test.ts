import { expect, test } from 'vitest'
import { resolveJobConfiguration } from '#core/job-template.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { call } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

test('a pool can be made of every type that the view of workers names, with its template', async () => {
  const { client } = await aWorkspace()
  const view = await client.readCollectionView('aggregate-worker-metadata')
  const workers = Object.values(view).flatMap((types) => Object.values(types as JsonObject))
  expect(workers.map((worker) => (worker as JsonObject)['type'])).toEqual([
    'process',
    'ecs',
    'azure-container-instance',
    'docker',
    'cloud-run',
    'cloud-run-v2',
    'vertex-ai',
    'kubernetes',
  ])
  for (const worker of workers as JsonObject[]) {
    const template = worker['default_base_job_configuration'] as JsonObject
    const pool = await client.createWorkPool({
      name: crypto.randomUUID(),
      type: worker['type'] as string,
      base_job_template: template,
    })
    expect(pool.base_job_template).toEqual(template)
    expect(Object.keys(resolveJobConfiguration(template, {}, {}))).not.toEqual([])
  }
})

test('a process pool made without a template gets the one of the view', async () => {
  const { client } = await aWorkspace()
  const pool = await client.createWorkPool({ name: crypto.randomUUID(), type: 'process' })
  const view = await client.readCollectionView('aggregate-worker-metadata')
  expect(view['prefect']).toMatchObject({
    process: { default_base_job_configuration: pool.base_job_template },
  })
})

test.for([
  ['nothing', 'View nothing not found in registry'],
  ['demo-flows', 'Requested content missing for view demo-flows'],
])('view %s: 404', async ([view, detail]) => {
  const { key } = await aWorkspace()
  expect(await call(key, 'GET', `/collections/views/${view}`)).toEqual({
    status: 404,
    body: { detail },
  })
})

test('needs a key', async () => {
  expect((await call(undefined, 'GET', '/collections/views/demo-flows')).status).toBe(401)
})

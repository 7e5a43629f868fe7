import { expect, test } from 'vitest'
import type { Client } from '#core/client.ts'
import { newApp } from '../../worker/app.ts'
import { eventually } from '../support/eventually.ts'
import { aWorkspace, API_URL, bindings } from '../support/workspace.ts'

const OPERATOR_KEY = 'the key of the operator'

async function ask(key: string | undefined, { query = '', expected = OPERATOR_KEY } = {}) {
  const headers: Record<string, string> =
    key === undefined ? {} : { Authorization: `Bearer ${key}` }
  const env = { ...bindings, HEADGATE_OPERATOR_KEY: expected }
  return await newApp().request(`${API_URL}/admin/metrics${query}`, { headers }, env)
}

async function aDeployment(client: Client) {
  const flow = await client.createFlow({ name: 'f' })
  await client.createWorkPool({ name: 'p', type: 'process' })
  return await client.createDeployment({ flow_id: flow.id, name: 'd', work_pool_name: 'p' })
}

test('the operator is told of all workspaces: what ran, what is late and for how long', async () => {
  const { client, workspace } = await aWorkspace()
  const deployment = await aDeployment(client)
  const before = new Date(Date.now() - 3_000_000).toISOString()
  const make = async (scheduled_time: string) =>
    await client.createFlowRunFromDeployment(deployment.id, {
      state: { type: 'SCHEDULED', state_details: { scheduled_time } },
    })
  const run = await make(before)
  await make('2999-01-01T00:00:00Z')
  await client.setFlowRunState(
    run.id,
    { type: 'SCHEDULED', name: 'Late', state_details: { scheduled_time: before } },
    true,
  )

  // D1 has what the home has written a moment later.
  const metrics = await eventually(async () => {
    const response = await ask(OPERATOR_KEY)
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toContain('version=0.0.4')
    const text = await response.text()
    return text.includes(`workspace="${workspace.id}",state="Late"} 1\n`) ? text : undefined
  })
  expect(metrics).toMatch(/^headgate_workspaces [1-9]/m)
  expect(metrics).toMatch(/^headgate_d1_bytes [1-9]\d+$/m)
  expect(metrics).toContain(`headgate_flow_runs{workspace="${workspace.id}",state="Late"} 1\n`)
  expect(metrics).not.toContain(`workspace="${workspace.id}",state="Scheduled"`)
  const oldest = new RegExp(
    `^headgate_flow_run_oldest_late_seconds{workspace="${workspace.id}"} (\\d+)$`,
    'm',
  ).exec(metrics)?.[1]
  expect(Number(oldest)).toBeGreaterThanOrEqual(3000)
})

test('nobody else finds it: not without a key, with one of a workspace, nor where none is set', async () => {
  const { key } = await aWorkspace()
  for (const given of [undefined, '', key, `${OPERATOR_KEY}s`]) {
    const response = await ask(given)
    expect([given, response.status]).toEqual([given, 404])
  }
  expect((await ask('', { expected: '' })).status).toBe(404)
  const refused = await ask(OPERATOR_KEY, { query: '?hours=25' })
  expect([refused.status, await refused.json()]).toEqual([
    422,
    { detail: 'hours: expected a whole number from 1 to 24.' },
  ])
})

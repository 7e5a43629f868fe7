import { expect, test } from 'vitest'
import { call } from '../support/call.ts'
import { aWorkspace } from '../support/workspace.ts'

const variable = (name: string) => ({ __prefect_kind: 'workspace_variable', variable_name: name })

test.each(['/templates/validate', '/automations/templates/validate'])(
  '%s says whether a text is a template',
  async (path) => {
    const { key } = await aWorkspace()
    const fine = await call(key, 'POST', path, 'Hello {{ flow_run.name | upper }}')
    expect(fine.status).toBe(204)
    const bad = await call(key, 'POST', path, 'a\n{{ b')
    expect([bad.status, bad.body]).toEqual([
      422,
      {
        error: {
          line: 2,
          message: "unexpected end of template, expected 'end of print statement'.",
          source: 'a\n{{ b',
        },
      },
    ])
    const loops = await call(key, 'POST', path, '{% for a in [] %}{% endfor %}'.repeat(11))
    expect([loops.status, loops.body]).toMatchObject([422, { error: { line: 0 } }])
    expect((await call(key, 'POST', path, { a: 1 })).status).toBe(422)
  },
)

test("a run's parameters are worked out from templates and the workspace's variables", async () => {
  const { client } = await aWorkspace()
  await client.createVariable({ name: 'where', value: { city: 'Rome' } })
  await client.createVariable({ name: 'which', value: 'where' })
  const flow = await client.createFlow({ name: 'f' })
  const made = await client.createDeployment({
    name: 'd',
    flow_id: flow.id,
    parameters: { kept: 1, there: variable('where') },
  })
  expect((await client.readDeployment(made.id)).parameters).toEqual({
    kept: 1,
    there: { city: 'Rome' },
  })
  const run = await client.createFlowRunFromDeployment(made.id, {
    parameters: {
      json: { __prefect_kind: 'json', value: '{"a": [1, 2]}' },
      text: { __prefect_kind: 'jinja', template: 'x{{ 1 + 1 }}' },
      deep: [{ v: variable('which') }],
      twice: { __prefect_kind: 'workspace_variable', variable_name: variable('which') },
      gone: { __prefect_kind: 'json' },
    },
  })
  expect(run.parameters).toEqual({
    kept: 1,
    there: { city: 'Rome' },
    json: { a: [1, 2] },
    text: 'x2',
    deep: [{ v: 'where' }],
    twice: { city: 'Rome' },
  })
})

test('what can not be worked out is refused with the reason', async () => {
  const { client, key } = await aWorkspace()
  const other = await aWorkspace()
  await other.client.createVariable({ name: 'theirs', value: 1 })
  const flow = await client.createFlow({ name: 'f' })
  const { id } = await client.createDeployment({ name: 'd', flow_id: flow.id })
  const refused = async (path: string, parameters: unknown, more: object = {}) => {
    const { status, body } = await call(key, 'POST', path, { ...more, parameters })
    return [status, (body as { detail?: string }).detail]
  }
  const runs = `/deployments/${id}/create_flow_run`
  expect(await refused(runs, { a: variable('theirs') })).toEqual([
    400,
    "Error hydrating flow run parameters: Variable 'theirs' not found in workspace.",
  ])
  expect(await refused(runs, { a: { __prefect_kind: 'json', value: '{' } })).toEqual([
    400,
    'Error hydrating flow run parameters: Invalid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)',
  ])
  const deployment = { name: 'e', flow_id: flow.id }
  expect(await refused('/deployments/', { a: { __prefect_kind: 'jinja' } }, deployment)).toEqual([
    400,
    "Error hydrating deployment parameters: Missing 'template' key in __prefect object",
  ])
})

test('a run stays paused when its input can not be worked out', async () => {
  const { client, key } = await aWorkspace()
  const flow = await client.createFlow({ name: 'f' })
  const run = await client.createFlowRun({ flow_id: flow.id, state: { type: 'RUNNING' } })
  const keyset = { response: 'paused-1-response', schema: 'paused-1-schema' }
  await client.setFlowRunState(run.id, {
    type: 'PAUSED',
    state_details: { run_input_keyset: keyset },
  })
  const { body } = await call(key, 'POST', `/flow_runs/${run.id}/resume`, {
    run_input: { x: variable('nope') },
  })
  expect(body).toMatchObject({
    status: 'REJECT',
    state: { type: 'PAUSED' },
    details: { reason: "Error hydrating run input: Variable 'nope' not found in workspace." },
  })
})

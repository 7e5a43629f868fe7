import { expect, test } from 'vitest'
import { document } from '../support/routes.ts'
import { call } from '../support/call.ts'
import { aWorkspace, API_URL, fetchWorker } from '../support/workspace.ts'

/** What the document says of an operation's answers: their statuses, and for each the media types. */
function answersOf(method: string, path: string): Record<string, string[]> {
  const responses = document.paths[path]?.[method]?.responses ?? {}
  return Object.fromEntries(
    Object.entries(responses).map(([status, { content = {} }]: [string, { content?: object }]) => [
      status,
      Object.keys(content),
    ]),
  )
}

test.for(['/events/in', '/events/out', '/logs/out', '/feed', '/task_runs/subscriptions/scheduled'])(
  'a plain request to the socket %s is answered as documented',
  async (path) => {
    const response = await fetchWorker(API_URL + path)
    expect(response.status).toBe(426)
    expect(answersOf('get', path)).toHaveProperty('426')
  },
)

test.for(['/templates/validate', '/automations/templates/validate'])(
  '%s tells a wrong template from a body that is no text, and the document both',
  async (path) => {
    const { key } = await aWorkspace()
    const wrong = await call(key, 'POST', path, '{{ x')
    expect(wrong).toMatchObject({ status: 422, body: { error: { line: 1 } } })
    const noText = await call(key, 'POST', path, { a: 1 })
    expect(noText).toMatchObject({ status: 422, body: { exception_detail: [{ loc: ['body'] }] } })
    const responses = document.paths[path]?.['post']?.responses ?? {}
    expect(JSON.stringify(responses['422'])).toContain('ValidationProblem')
  },
)

test('files of logs and texts of inputs are documented by their media types', async () => {
  const { client, key } = await aWorkspace()
  const flow = await client.createFlow({ name: 'flow' })
  const { id } = await client.createFlowRun({ flow_id: flow.id })
  await client.createFlowRunInput(id, { key: 'input', value: '1' })
  const read = async (path: string) => {
    const response = await fetchWorker(API_URL + path, {
      headers: { Authorization: `Bearer ${key}` },
    })
    await response.arrayBuffer()
    return response.headers.get('Content-Type')?.split(';')[0]
  }
  for (const format of ['csv', 'txt', 'ndjson']) {
    const type = await read(`/flow_runs/${id}/logs/download?format=${format}`)
    expect(answersOf('get', '/flow_runs/{id}/logs/download')['200']).toContain(type)
  }
  const type = await read(`/flow_runs/${id}/input/input`)
  expect(answersOf('get', '/flow_runs/{id}/input/{key}')['200']).toEqual([type])
})

import { describe, expect, it } from 'vitest'
import { pythonFlowName } from '../../../agent/cli/python-flow.ts'

const SOURCE = `
from prefect import flow, task

@task(name="not a flow")
def load():
    ...

@flow
def plain_flow():
    load()

@flow(name="Named flow", retries=2)
def named(n: int = 1):
    ...

@flow(
    retries=2,
    name='Over lines',
)
@other
async def over_lines():
    ...

@flow(flow_run_name="run-{n}")
def run_named(n):
    ...
`

describe('pythonFlowName', () => {
  it.each([
    ['plain_flow', 'plain-flow'],
    ['named', 'Named flow'],
    ['over_lines', 'Over lines'],
    ['run_named', 'run-named'],
    ['load', 'load'],
    ['missing', undefined],
    ['plain', undefined],
  ])('%s is called %s', (name, flow) => {
    expect(pythonFlowName(SOURCE, name)).toBe(flow)
  })
})

import { describe, expect, it } from 'vitest'
import type { Variable } from '../../core/wire/variable.ts'
import { aPrefect } from '../support/node/prefect.ts'

const prefect = aPrefect()
const succeeds = (...words: string[]) => prefect.succeeds(['variable', ...words])

describe('prefect variable', () => {
  const nested = { regions: ['eu', 'us'], share: 0.5 }

  it('sets them, and overwrites only when told to', async () => {
    const { client } = prefect
    await Promise.all([
      succeeds('set', 'plain', 'text', '--tag', 'a', '--tag', 'b'),
      succeeds('set', 'nested', JSON.stringify(nested)),
    ])
    expect(await client.readVariable('plain')).toMatchObject({ value: 'text', tags: ['a', 'b'] })
    expect(await client.readVariable('nested')).toMatchObject({ value: nested })
    const [refused] = await Promise.all([
      prefect.fails(['variable', 'set', 'plain', '2']),
      succeeds('set', 'nested', '3', '--overwrite'),
    ])
    expect(refused).toContain('already exists')
    expect((await client.readVariable('nested')).value).toBe(3)
  })

  it('reads, lists and unsets them', async () => {
    await prefect.client.updateVariable('nested', { value: nested })
    const [got, inspected, listed] = await Promise.all([
      succeeds('get', 'plain'),
      prefect.json<Variable>(['variable', 'inspect', 'nested', '--output', 'json']),
      succeeds('ls'),
    ])
    expect(got.trim()).toBe('"text"')
    expect(inspected.value).toEqual(nested)
    expect(listed).toMatch(/nested[^]*plain/)
    await succeeds('unset', 'plain')
    expect(await prefect.fails(['variable', 'get', 'plain'])).toContain("'plain' not found")
  })
})

it('the library gets what it set, in its types, also in flows and without waiting', async () => {
  const { code, stdout, stderr } = await prefect.python(
    `
import asyncio
from prefect import flow
from prefect.variables import Variable

values = {"float": 1.0, "int": 12345678901234567, "text": "é", "list": [None, True], "dict": {"2": 1, "1": 2}}

@flow
def uses():
    for name, value in values.items():
        Variable.set(name, value, tags=[name])
    read = {name: Variable.get(name) for name in values}
    assert read == values, read
    assert type(read["float"]) is float and list(read["dict"]) == ["2", "1"]
    assert Variable.get("nothing", default=3) == 3
    assert Variable.unset("text") and not Variable.unset("text")

async def alone():
    await Variable.aset("int", 5, overwrite=True)
    assert await Variable.aget("int") == 5

uses()
asyncio.run(alone())
print("right")
`,
    [],
    { env: await prefect.insideRun() },
  )
  expect([code, stdout], stderr).toEqual([0, expect.stringContaining('right')])
})

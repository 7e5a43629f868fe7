import { afterEach, describe, expect, it } from 'vitest'
import { setD1Faults, d1 } from '../support/d1-faults.ts'
import { aWorkspace } from '../support/workspace.ts'

afterEach(() => setD1Faults({}))

describe('faults of D1', () => {
  it('befall the Worker and its objects', async () => {
    const { client } = await aWorkspace()
    await client.createFlow({ name: 'flow' })
    setD1Faults({ fail: 1 })
    await expect(client.createFlow({ name: 'other' })).rejects.toThrow('503')
    expect(d1.befallen).toBeGreaterThan(0)
  })
})

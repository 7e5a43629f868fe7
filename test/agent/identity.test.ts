import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { processStart } from '../../agent/infra/process-table.ts'
import { takeIdentity } from '../../agent/identity.ts'

async function facts(given: { name?: string; agentsFolder?: string } = {}) {
  const agentsFolder = given.agentsFolder ?? (await mkdtemp(join(tmpdir(), 'headgate-identity-')))
  return { agentsFolder, apiUrl: 'http://api/api', pool: 'pool', name: given.name ?? 'agent' }
}

describe('an identity', () => {
  test('is the same after a restart, and another for another name', async () => {
    const mine = await facts()
    const first = await takeIdentity(mine)
    await first.release()
    const second = await takeIdentity(mine)
    const other = await takeIdentity(await facts({ ...mine, name: 'other' }))
    expect(second.agentId).toBe(first.agentId)
    expect(second.runsFolder).toBe(first.runsFolder)
    expect(other.agentId).not.toBe(first.agentId)
  })

  test('is held by one living process', async () => {
    const mine = await facts()
    await takeIdentity(mine)
    await expect(takeIdentity(mine)).rejects.toThrow(`process ${process.pid}`)
  })

  test('of many that start at once one gets it', async () => {
    const mine = await facts()
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => takeIdentity(mine)))
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1)
  })

  test('is taken over from the dead, by one of many', async () => {
    const mine = await facts()
    const first = await takeIdentity(mine)
    const lock = join(mine.agentsFolder, first.agentId, 'lock')
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    const dead = { pid: child.pid ?? 0, start: processStart(child.pid ?? 0) }
    child.kill('SIGKILL')
    await once(child, 'exit')
    await writeFile(lock, JSON.stringify(dead))
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => takeIdentity(mine)))
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    expect(await readdir(join(mine.agentsFolder, first.agentId))).toEqual(['lock', 'runs'])
  })

  test('is taken over when the process id of the dead belongs to somebody else now', async () => {
    const mine = await facts()
    const first = await takeIdentity(mine)
    const lock = join(mine.agentsFolder, first.agentId, 'lock')
    await writeFile(lock, JSON.stringify({ pid: process.pid, start: 'another time' }))
    expect((await takeIdentity(mine)).agentId).toBe(first.agentId)
  })

  test('survives a lock that was half written', async () => {
    const mine = await facts()
    const first = await takeIdentity(mine)
    await writeFile(join(mine.agentsFolder, first.agentId, 'lock'), '{"pid"')
    expect((await takeIdentity(mine)).agentId).toBe(first.agentId)
  })
})

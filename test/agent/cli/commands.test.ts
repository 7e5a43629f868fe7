import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WorkPool } from '../../../core/wire/work-pool.ts'
import type { WorkQueue } from '../../../core/wire/work-queue.ts'
import { type CommandLine, makeCommandLine } from '../../support/node/headgate.ts'
import { FakeApi } from '../../support/node/fake-api.ts'

const api = new FakeApi()
let url: string
let headgate: CommandLine

beforeAll(async () => {
  url = await api.start(23_000)
  headgate = makeCommandLine({ env: { HEADGATE_API_URL: url, HEADGATE_API_KEY: api.key } })
})
afterAll(() => api.stop())

describe('headgate', () => {
  it('shows its help, with the exit codes', async () => {
    const { code, stdout } = await headgate.run()
    expect(code).toBe(0)
    expect(stdout).toMatch(/Usage: headgate/)
    expect(stdout).toMatch(/3 {2}not found/)
  })

  it('tells its version', async () => {
    expect((await headgate.run('--version')).stdout).toMatch(/^headgate \d+\.\d+\.\d+ /)
    expect(await headgate.json('version')).toHaveProperty('headgate')
  })

  it.each([
    [['nonsense'], /unknown command 'nonsense'/],
    [['work-pol', 'ls'], /Did you mean work-pool/],
    [['work-pool'], /Usage: headgate work-pool/],
    [['work-pool', 'ls', '--nonsense'], /unknown option '--nonsense'/],
    [['work-pool', 'create'], /missing required argument 'name'/],
    [['work-pool', 'create', 'a', '--concurrency-limit', 'many'], /'many' is not a whole number/],
    [['work-pool', 'ls', '--output', 'xml'], /Allowed choices are table, json/],
    [['work-pool', 'update', 'a'], /nothing to change/],
    [['deployment', 'run', 'a/b', '--param', 'x'], /key=value/],
    [['deployment', 'schedule', 'create', 'a/b'], /When is it to run/],
    [['deploy', 'a.ts:b'], /name is missing/],
  ])('%j is a usage error', async (words, message) => {
    const { code, stdout, stderr } = await headgate.run(...words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })

  it('says that no address is set, and what to do', async () => {
    const { code, stderr } = await makeCommandLine().run('work-pool', 'ls')
    expect(code).toBe(4)
    expect(stderr).toMatch(/No API address is set\.\nRun `headgate login/)
  })

  it('says that the key is not accepted', async () => {
    const env = { HEADGATE_API_URL: url, HEADGATE_API_KEY: 'wrong' }
    const { code, stderr } = await makeCommandLine({ env }).run('work-pool', 'ls')
    expect(code).toBe(4)
    expect(stderr).toMatch(/did not accept the API key.*Unauthorized/)
  })

  it('says that the API is not there', async () => {
    const env = { HEADGATE_API_URL: 'http://127.0.0.1:23999/api' }
    const { code, stderr } = await makeCommandLine({ env }).run('work-pool', 'ls')
    expect(code).toBe(5)
    expect(stderr).toMatch(/127\.0\.0\.1:23999\/api can't be reached: .*ECONNREFUSED/)
  })
})

describe('headgate login and profile', () => {
  it('keeps a key that the API accepts, for its owner alone', async () => {
    const fresh = makeCommandLine()
    const { code, stdout } = await fresh.run('login', '--url', url, '--key', api.key)
    expect(code).toBe(0)
    expect(stdout).toMatch(/Signed in to .* as profile 'default'/)
    expect(statSync(join(fresh.home, 'profiles.json')).mode & 0o777).toBe(0o600)
    expect((await fresh.run('work-pool', 'ls')).code).toBe(0)
  })

  it('keeps no key that the API refuses', async () => {
    const fresh = makeCommandLine()
    const { code, stderr } = await fresh.run('login', '--url', url, '--key', 'wrong')
    expect(code).toBe(4)
    expect(stderr).toMatch(/nothing was saved/)
    expect(await fresh.json('profile', 'ls')).toEqual([])
  })

  it('reads the key from standard input', async () => {
    const fresh = makeCommandLine({ input: `${api.key}\n` })
    expect(await fresh.json('login', '--url', url, '--key', '-')).toEqual({
      profile: 'default',
      api_url: url,
    })
  })

  it('knows an address where no API is', async () => {
    const options = ['--url', `${url}/elsewhere`, '--key', api.key]
    const { code, stderr } = await makeCommandLine().run('login', ...options)
    expect(code).toBe(5)
    expect(stderr).toMatch(/There is no Headgate API at/)
  })

  it('lists, chooses, shows and forgets profiles, and never prints a key', async () => {
    const fresh = makeCommandLine()
    await fresh.run('login', '--url', url, '--key', api.key)
    await fresh.run('profile', 'create', 'other', '--url', 'https://other.example', '--key', 'k')
    const list = await fresh.run('profile', 'ls')
    expect(list.stdout).toMatch(/^\* {2}default .* hg_01…cdef$/m)
    expect(list.stdout).toMatch(/^ {3}other {4}https:\/\/other\.example\/api/m)
    expect(list.stdout).not.toContain(api.key)

    expect((await fresh.run('profile', 'use', 'other')).code).toBe(0)
    expect(await fresh.json('profile', 'inspect')).toMatchObject({ name: 'other', active: true })
    expect((await fresh.run('profile', 'use', 'none')).code).toBe(3)
    expect((await fresh.run('profile', 'create', 'other', '--url', url)).code).toBe(6)
    expect((await fresh.run('work-pool', 'ls', '--profile', 'default')).code).toBe(0)

    const gone = await fresh.run('profile', 'delete', 'other')
    expect(gone.stdout).toMatch(/'default' is now the active profile/)
    expect((await fresh.run('logout')).stdout).toMatch(/Forgot the key/)
    expect((await fresh.run('logout')).code).toBe(4)
    expect((await fresh.run('work-pool', 'ls')).code).toBe(4)
  })
})

describe('headgate work-pool and work-queue', () => {
  it('makes, shows, changes and deletes a pool', async () => {
    const made = await headgate.run('work-pool', 'create', 'gpu', '--concurrency-limit', '3')
    expect(made.stdout).toMatch(
      /Created work pool 'gpu' of type process\.\n.*agent start --pool gpu/,
    )
    const list = await headgate.run('work-pool', 'ls')
    expect(list.stdout).toMatch(/^NAME +TYPE +STATUS +LIVE +LIMIT/)
    expect(list.stdout).toMatch(/^gpu +process +not ready +0 +3$/m)

    expect(await headgate.json<WorkPool>('work-pool', 'pause', 'gpu')).toMatchObject({
      name: 'gpu',
      is_paused: true,
    })
    expect((await headgate.run('work-pool', 'ls')).stdout).toMatch(/^gpu +process +paused/m)
    await headgate.run('work-pool', 'resume', 'gpu')
    await headgate.run('work-pool', 'clear-concurrency-limit', 'gpu')
    expect(await headgate.json('work-pool', 'inspect', 'gpu')).toMatchObject({
      is_paused: false,
      concurrency_limit: null,
    })
    await headgate.run('work-pool', 'set-concurrency-limit', 'gpu', '0')
    await headgate.run('work-pool', 'update', 'gpu', '--description', 'big ones')
    const shown = await headgate.run('work-pool', 'inspect', 'gpu')
    expect(shown.stdout).toMatch(/Limit +0\n/)
    expect(shown.stdout).toMatch(/Description +big ones\n/)
    expect(shown.stdout).toMatch(/QUEUE +PRIORITY/)
    expect(shown.stdout).toMatch(/No agent has served it yet/)

    expect((await headgate.run('work-pool', 'preview', 'gpu')).stderr).toMatch(/No run is due/)
    expect((await headgate.run('work-pool', 'delete', 'gpu')).stdout).toMatch(/Deleted/)
    const missing = await headgate.run('work-pool', 'inspect', 'gpu')
    expect(missing.code).toBe(3)
    expect(missing.stderr).toMatch(/There is no work pool 'gpu'\.\nSee `headgate work-pool ls`/)
  })

  it("says when Headgate's agent can't serve a pool of its type", async () => {
    const { stdout } = await headgate.run('work-pool', 'create', 'moon', '--type', 'rocket')
    expect(stdout).toMatch(/agent serves pools of type process/)
  })

  it('refuses a second pool of a name', async () => {
    await headgate.run('work-pool', 'create', 'twice')
    const again = await headgate.run('work-pool', 'create', 'twice')
    expect(again.code).toBe(6)
    expect(again.stderr).toMatch(/refused: .*already exists/)
  })

  it('names the field that the API does not accept', async () => {
    const { code, stderr } = await headgate.run('work-pool', 'create', 'a%b')
    expect(code).toBe(6)
    expect(stderr).toMatch(/refused: name: /)
  })

  it('makes, shows, changes and deletes a queue', async () => {
    await headgate.run('work-pool', 'create', 'lanes')
    const pool = ['--pool', 'lanes']
    const made = await headgate.run('work-queue', 'create', 'high', ...pool, '--priority', '1')
    expect(made.stdout).toBe("Created work queue 'high' in work pool 'lanes', priority 1.\n")
    expect((await headgate.run('work-queue', 'create', 'x')).code).toBe(2)
    expect((await headgate.run('work-queue', 'create', 'x', '--pool', 'none')).code).toBe(3)

    await headgate.run('work-queue', 'set-concurrency-limit', 'high', '2', ...pool)
    expect(await headgate.json('work-queue', 'pause', 'high', ...pool)).toMatchObject({
      is_paused: true,
      concurrency_limit: 2,
    })
    expect((await headgate.run('work-queue', 'ls', ...pool)).stdout).toMatch(
      /^lanes +high +1 +paused +0 +2 +-$/m,
    )
    const all = await headgate.json<WorkQueue[]>('work-queue', 'ls')
    expect(all.filter(({ name }) => name === 'default').length).toBeGreaterThan(1)
    await headgate.run('work-queue', 'resume', 'high', ...pool)
    await headgate.run('work-queue', 'clear-concurrency-limit', 'high', ...pool)
    const renamed = ['work-queue', 'update', 'high', ...pool, '--rename', 'top', '--priority', '4']
    expect(await headgate.json(...renamed)).toMatchObject({
      name: 'top',
      priority: 4,
      is_paused: false,
      concurrency_limit: null,
    })
    expect((await headgate.run('work-queue', 'inspect', 'top', ...pool)).stdout).toMatch(
      /Priority +4/,
    )
    expect((await headgate.run('work-queue', 'delete', 'top', ...pool)).code).toBe(0)
    expect((await headgate.run('work-queue', 'inspect', 'top', ...pool)).code).toBe(3)
  })
})

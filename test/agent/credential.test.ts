import { createHash } from 'node:crypto'
import { mkdtemp, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { agentLog } from '../../agent/agent-log.ts'
import { Credential } from '../../agent/credential.ts'
import { ownKey } from '../../agent/enrol.ts'
import { Client } from '../../core/client.ts'
import { until } from '../support/node/until.ts'

const TOKEN = 'hg_enrol_token'
const hashOf = (key: string) => createHash('sha256').update(key).digest('hex')

/** The far end: it knows keys by their hashes, and can be away, or lose its answers. */
class FarEnd {
  /** By hash. */
  readonly good = new Set<string>()
  readonly told: string[] = []
  tokens = new Set([TOKEN])
  keySeconds = 86_400
  trouble: (path: string) => 'away' | 'answer lost' | undefined = () => undefined
  readonly client = new Client({
    apiUrl: 'http://far.test/api',
    fetch: async (input, init) => await this.#answer(new Request(input, init)),
  })

  async #answer(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname
    const trouble = this.trouble(path)
    if (trouble === 'away') {
      throw new TypeError('fetch failed')
    }
    const text = await request.text()
    this.told.push(text)
    const response = this.#respond(path, text, request.headers.get('Authorization') ?? '')
    if (trouble === 'answer lost') {
      throw new TypeError('fetch failed')
    }
    return response
  }

  #respond(path: string, text: string, authorization: string): Response {
    const isKnown = this.good.has(hashOf(authorization.replace('Bearer ', '')))
    if (!path.endsWith('/enrol') && !isKnown) {
      return Response.json({ exception_message: 'Unauthorized' }, { status: 401 })
    }
    if (!path.startsWith('/api/agents/')) {
      return Response.json({ name: 'pool', type: 'process' })
    }
    const body = JSON.parse(text) as { token?: string; key_hash: string }
    if (path.endsWith('/enrol') && !this.good.has(body.key_hash)) {
      if (!this.tokens.delete(body.token ?? '')) {
        return Response.json({ detail: 'lets nobody in' }, { status: 403 })
      }
    }
    this.good.add(body.key_hash)
    const created = new Date().toISOString()
    const expires = new Date(Date.now() + this.keySeconds * 1000).toISOString()
    const key = { id: 'k', created, expires }
    return Response.json(path.endsWith('/enrol') ? { key } : key, { status: 201 })
  }
}

let far: FarEnd
let path: string
const log = agentLog({ json: false, write: () => undefined })
const callUntil = (signal: AbortSignal) => ({ log, what: 'get in', signal })
const patient = callUntil(new AbortController().signal)
beforeEach(async () => {
  far = new FarEnd()
  path = join(await mkdtemp(join(tmpdir(), 'headgate-credential-')), 'credential.json')
})

const stored = async () =>
  JSON.parse(await readFile(path, 'utf8')) as { key: string | null; next: string | null }
const works = async (credential: Credential) =>
  await credential
    .over(far.client)
    .readWorkPool('pool')
    .then(
      () => true,
      () => false,
    )

describe('an agent that gets in', () => {
  test('has a key that only its own file holds, readable by its user alone', async () => {
    const credential = await Credential.open(path)
    await credential.enrol(far.client, TOKEN, 'agent', patient)
    expect(await works(credential)).toBe(true)
    const { key } = await stored()
    expect(key).toMatch(/^hg_key_/)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(far.told.join()).not.toContain(key)
    expect(await works(await Credential.open(path))).toBe(true)
  })

  test('asks with the same key until it is answered', async () => {
    let asked = 0
    far.trouble = () => ['away', 'answer lost', 'answer lost', undefined][asked++] as never
    const credential = await Credential.open(path)
    await credential.enrol(far.client, TOKEN, 'agent', patient)
    expect(await works(credential)).toBe(true)
    expect(far.good.size).toBe(1)
  })

  test('and is killed at any moment goes on with the same key', async () => {
    const killed = new AbortController()
    far.trouble = () => {
      killed.abort(new Error('killed'))
      return 'answer lost'
    }
    const first = await Credential.open(path)
    const dies = first.enrol(far.client, TOKEN, 'agent', callUntil(killed.signal))
    await expect(dies).rejects.toThrow('fetch failed')
    expect(first.isThere).toBe(false)
    const { next } = await stored()
    far.trouble = () => undefined
    const second = await Credential.open(path)
    await second.enrol(far.client, TOKEN, 'agent', patient)
    expect((await stored()).key).toBe(next)
    expect(await works(second)).toBe(true)
    expect(far.good.size).toBe(1)
  })

  test('is told when it is not let in, and shows another token with another key', async () => {
    const credential = await Credential.open(path)
    const refused = credential.enrol(far.client, 'hg_enrol_other', 'agent', patient)
    await expect(refused).rejects.toThrow(/not let in .*lets nobody in/)
    expect((await stored()).next).toBe(null)
    await credential.enrol(far.client, TOKEN, 'agent', patient)
    expect(await works(credential)).toBe(true)
  })
})

describe('the key of an agent', () => {
  test('is replaced before it ends, again and again', async () => {
    const credential = await Credential.open(path)
    far.keySeconds = 0.3
    await credential.enrol(far.client, TOKEN, 'agent', patient)
    const first = (await stored()).key ?? ''
    const end = new AbortController()
    const keeping = credential.keepFresh(far.client, callUntil(end.signal))
    await until('three keys have been used', () => far.good.size > 3)
    end.abort()
    await keeping
    expect((await stored()).key).not.toBe(first)
    expect(await works(credential)).toBe(true)
  })

  test.for([
    ['the old one serves on', false],
    ['the old one is over', true],
  ] as const)('whose replacement was not heard of is settled: %s', async ([, isOver]) => {
    const credential = await Credential.open(path)
    far.keySeconds = 0.1
    await credential.enrol(far.client, TOKEN, 'agent', patient)
    const old = (await stored()).key ?? ''
    const killed = new AbortController()
    far.trouble = () => {
      killed.abort()
      return 'answer lost'
    }
    await credential.keepFresh(far.client, callUntil(killed.signal))
    const { key, next } = await stored()
    expect(key).toBe(old)
    far.trouble = () => undefined
    if (isOver) {
      far.good.delete(hashOf(old))
    }
    const again = await Credential.open(path)
    await again.settle(far.client, patient)
    expect(await stored()).toMatchObject({ key: next, next: null })
    expect(await works(again)).toBe(true)
  })
})

describe('an agent that starts', () => {
  const identity = () => ({
    agentId: 'a',
    runsFolder: '',
    credentialFile: path,
    release: () => Promise.resolve(),
  })
  const start = async (token?: string) =>
    await ownKey({ client: far.client, pool: 'pool', name: 'agent', token }, identity(), log)

  test('without a token has no key of its own, unless it got one before', async () => {
    expect(await start()).toBe(undefined)
    await start(TOKEN)
    expect(await works((await start()) as Credential)).toBe(true)
  })

  test('with the token that it has used keeps its key', async () => {
    await start(TOKEN)
    const { key } = await stored()
    await start(TOKEN)
    expect((await stored()).key).toBe(key)
  })

  test('with a new token gets in anew when its key is no good any more', async () => {
    await start(TOKEN)
    far.good.clear()
    far.tokens.add('hg_enrol_second')
    const credential = await start('hg_enrol_second')
    expect(await works(credential as Credential)).toBe(true)
  })
})

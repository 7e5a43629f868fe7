import { describe, expect, it } from 'vitest'
import {
  isRunToken,
  signRunToken,
  verifyRunToken,
  type RunClaims,
} from '../../worker/operations/run-token.ts'
import { call } from '../support/call.ts'
import { aWorkspace, bindings } from '../support/workspace.ts'

const SECRET = 'a secret of this test'
const claims: RunClaims = {
  workspace_id: 'w',
  flow_run_id: crypto.randomUUID(),
  fence: 3,
  home_key: '0000ffff',
  issued: 3_999_999_000,
  expires: 4_000_000_000,
}
const payloadOf = (text: string) =>
  btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

describe('a run token', () => {
  it('says what was signed', async () => {
    const token = await signRunToken(SECRET, claims)
    expect(token).toMatch(/^hgr_[\w-]+\.[\w-]{43}$/)
    expect(isRunToken(token)).toBe(true)
    expect(await verifyRunToken(SECRET, token)).toEqual(claims)
  })

  it('says nothing under another secret', async () => {
    const token = await signRunToken('another secret', claims)
    expect(await verifyRunToken(SECRET, token)).toBeUndefined()
    expect(await verifyRunToken('another secret', token)).toEqual(claims)
  })

  it('says nothing when it was cut anywhere', async () => {
    const token = await signRunToken(SECRET, claims)
    for (let length = 0; length < token.length; length += 1) {
      expect(await verifyRunToken(SECRET, token.slice(0, length))).toBeUndefined()
    }
  })

  it('says nothing when it was changed', async () => {
    const token = await signRunToken(SECRET, claims)
    const [payload = '', signature = ''] = token.slice(4).split('.')
    const other = payloadOf(JSON.stringify({ ...claims, fence: 4 }))
    for (const forged of [
      `hgr_${other}.${signature}`,
      `hgr_${payload}.${signature.slice(0, -4)}AAAA`,
      `hgr_${payload}.`,
      `hgr_${payload}.${signature}.${signature}`,
      `hgr_${payload}${signature}`,
      `hgr_.${signature}`,
      `hg_${payload}.${signature}`,
      `${payload}.${signature}`,
      `hgr_${payload}.!!!`,
      'hgr_',
      '',
    ]) {
      expect(await verifyRunToken(SECRET, forged)).toBeUndefined()
    }
  })
})

describe('the API asked with a run token', () => {
  it('lets its own workspace in while it lasts, and nobody else', async () => {
    const [own, other] = [await aWorkspace(), await aWorkspace()]
    const flow = await own.client.createFlow({ name: crypto.randomUUID() })
    const run = await own.client.createFlowRun({ flow_id: flow.id })
    const now = Math.floor(Date.now() / 1000)
    const sign = async (given: Partial<RunClaims>, secret = bindings.HEADGATE_SECRET) =>
      await signRunToken(secret, {
        workspace_id: own.workspace.id,
        flow_run_id: run.id,
        fence: 0,
        home_key: run.id.slice(28),
        issued: now,
        expires: now + 60,
        ...given,
      })
    const read = async (token: string) => (await call(token, 'GET', `/flow_runs/${run.id}`)).status
    expect(await read(await sign({}))).toBe(200)
    expect(await read(await sign({ workspace_id: other.workspace.id }))).toBe(404)
    expect(await read(await sign({ workspace_id: crypto.randomUUID() }))).toBe(401)
    expect(await read(await sign({ expires: now - 1 }))).toBe(401)
    expect(await read(await sign({}, 'another secret'))).toBe(401)
    expect(await read((await sign({})).slice(0, -1))).toBe(401)
  })
})

import { describe, expect, test } from 'vitest'
import { API_KEY_RANDOM_BYTES, apiKey, apiKeyHint, enrolmentToken } from '#core/api-key.ts'
import { ApiError } from '#core/client.ts'
import { formatTimestamp } from '#core/time.ts'
import type { EnrolmentCreate } from '#core/wire/enrolment.ts'
import { hashApiKey } from '#storage/access.ts'
import { call } from '../support/call.ts'
import { aWorkspace, clientOf, type TestWorkspace } from '../support/workspace.ts'

const nobody = clientOf(undefined)

/** A key as an agent makes it, and what it tells of it. */
async function aKey() {
  const text = apiKey(crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES)))
  return { text, told: { key_hash: await hashApiKey(text), key_hint: apiKeyHint(text) } }
}

async function anEnrolment(given: Partial<EnrolmentCreate> = {}, workspace?: TestWorkspace) {
  const own = workspace ?? (await aWorkspace())
  const { client } = own
  const pool = await client.createWorkPool({ name: `pool ${crypto.randomUUID()}`, type: 'process' })
  const enrolment = await client.createEnrolment({
    name: 'eu hosts',
    work_pools: [pool.name],
    ...given,
  })
  return { ...own, pool, enrolment }
}

/** How an agent comes in: the status of the answer, and what it then holds. */
async function enter(token: string, key?: Awaited<ReturnType<typeof aKey>>) {
  const own = key ?? (await aKey())
  const status = await nobody.enrolAgent({ token, name: 'host', ...own.told }).then(
    () => 201,
    (error: unknown) => (error instanceof ApiError ? error.status : error),
  )
  return { ...own, status }
}

describe('an enrolment', () => {
  test('makes one key, for its pools alone, whose text nobody was told', async () => {
    const { client, workspace, pool, enrolment } = await anEnrolment()
    const other = await client.createWorkPool({ name: 'other', type: 'process' })
    const own = await aKey()
    const enrolled = await nobody.enrolAgent({ token: enrolment.token, name: 'host', ...own.told })
    expect(enrolled).toMatchObject({
      workspace_id: workspace.id,
      account_id: workspace.account_id,
      key: { name: 'host', kind: 'agent', work_pool_ids: [pool.id], hint: apiKeyHint(own.text) },
    })
    const days =
      (Date.parse(enrolled.key.expires ?? '') - Date.parse(enrolled.key.created)) / 86_400_000
    expect(days).toBe(30)
    const agent = clientOf(own.text)
    expect((await agent.readWorkPool(pool.name)).id).toBe(pool.id)
    await expect(agent.readWorkPool(other.name)).rejects.toMatchObject({ status: 404 })
    await expect(agent.listEnrolments()).rejects.toMatchObject({ status: 403 })
    expect(await client.listEnrolments()).toMatchObject([{ id: enrolment.id, uses: 1 }])
  })

  test('is used up, but an agent that did not hear the answer may ask again', async () => {
    const { client, pool, enrolment } = await anEnrolment()
    const first = await enter(enrolment.token)
    expect(first.status).toBe(201)
    expect((await enter(enrolment.token, first)).status).toBe(201)
    expect((await enter(enrolment.token)).status).toBe(403)
    expect((await clientOf(first.text).readWorkPool(pool.name)).id).toBe(pool.id)
    expect(await client.listEnrolments()).toMatchObject([{ uses: 1 }])
    expect((await client.listApiKeys()).filter(({ kind }) => kind === 'agent')).toHaveLength(1)
  })

  test('of several uses lets no more in, however many come at once', async () => {
    const { client, enrolment } = await anEnrolment({ max_uses: 3 })
    const came = await Promise.all(Array.from({ length: 12 }, () => enter(enrolment.token)))
    expect(came.filter(({ status }) => status === 201)).toHaveLength(3)
    expect(came.filter(({ status }) => status === 403)).toHaveLength(9)
    expect(await client.listEnrolments()).toMatchObject([{ uses: 3, max_uses: 3 }])
    // The same agent many times at once is one.
    const more = await anEnrolment()
    const one = await aKey()
    const same = await Promise.all(
      Array.from({ length: 8 }, () => enter(more.enrolment.token, one)),
    )
    expect(same.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 201))
    expect(await more.client.listEnrolments()).toMatchObject([{ uses: 1 }])
  })

  test('that is over, revoked or nobody knows says the same', async () => {
    const { workspace, enrolment } = await anEnrolment()
    const { id } = enrolment
    await workspace.database
      .prepare('UPDATE enrolment SET expires = ? WHERE id = ?')
      .bind(formatTimestamp(Date.now() * 1000 - 1), id)
      .run()
    const revoked = await anEnrolment()
    await revoked.client.revokeEnrolment(revoked.enrolment.id)
    const unknown = enrolmentToken(crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES)))
    const answers = await Promise.all(
      [enrolment.token, revoked.enrolment.token, unknown, 'hg_enrol_', ''].map(
        async (token) =>
          await call(undefined, 'POST', '/agents/enrol', {
            token,
            name: 'host',
            ...(await aKey()).told,
          }),
      ),
    )
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 403, body: { detail: /lets nobody in/ } })
  })

  test('that is revoked takes the keys of its agents along where that is asked for', async () => {
    const { client, pool, enrolment } = await anEnrolment({ max_uses: 2 })
    const [one, two] = [await enter(enrolment.token), await enter(enrolment.token)]
    const next = await aKey()
    await clientOf(two.text).replaceAgentKey(next.told)
    await client.revokeEnrolment(enrolment.id)
    expect((await clientOf(one.text).readWorkPool(pool.name)).id).toBe(pool.id)
    await client.revokeEnrolment(enrolment.id, true)
    const keys = (await client.listApiKeys()).filter(({ kind }) => kind === 'agent')
    expect(keys).toHaveLength(3)
    expect(keys.every(({ revoked }) => revoked !== null)).toBe(true)
    await expect(clientOf(next.text).readWorkPool(pool.name)).rejects.toMatchObject({ status: 401 })
  })

  test('is made by who may manage, and give what it gives', async () => {
    const { client, key, pool } = await anEnrolment()
    const body = { name: 'mine', work_pools: [pool.name] }
    const limited = async (...scopes: ('manage' | 'serve' | 'see')[]) =>
      clientOf((await client.createApiKey({ name: 'k', kind: 'workspace', scopes })).key)
    await expect((await limited('serve')).createEnrolment(body)).rejects.toMatchObject({
      status: 403,
    })
    await expect((await limited('manage')).createEnrolment(body)).rejects.toMatchObject({
      status: 403,
    })
    expect((await (await limited('manage', 'serve')).createEnrolment(body)).max_uses).toBe(1)
    for (const wrong of [
      { ...body, work_pools: [] },
      { ...body, max_uses: 0 },
      { ...body, key_seconds: 10 },
      { ...body, expires: '2020-01-01T00:00:00Z' },
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await call(key, 'POST', '/enrolments', wrong)).status).toBe(422)
    }
    const missing = { ...body, work_pools: ['nowhere'] }
    expect((await call(key, 'POST', '/enrolments', missing)).status).toBe(404)
  })
})

describe("an agent's key", () => {
  test('is replaced by one that the agent has made, and serves for an hour more', async () => {
    const { client, pool, enrolment } = await anEnrolment({ key_seconds: 86_400 })
    const old = await enter(enrolment.token)
    const next = await aKey()
    const made = await clientOf(old.text).replaceAgentKey(next.told)
    expect(made).toMatchObject({ name: 'host', kind: 'agent', work_pool_ids: [pool.id] })
    expect(Date.parse(made.expires ?? '') - Date.parse(made.created)).toBe(86_400_000)
    // A lost answer: the same again, by either of the two.
    expect((await clientOf(old.text).replaceAgentKey(next.told)).id).toBe(made.id)
    expect((await clientOf(next.text).replaceAgentKey(next.told)).id).toBe(made.id)
    expect((await clientOf(old.text).readWorkPool(pool.name)).id).toBe(pool.id)
    expect((await clientOf(next.text).readWorkPool(pool.name)).id).toBe(pool.id)
    const keys = (await client.listApiKeys()).filter(({ kind }) => kind === 'agent')
    expect(keys).toHaveLength(2)
    const left = Date.parse(keys[0]?.expires ?? '') - Date.now()
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(3_600_000)
  })

  test('is replaced by no key that somebody else has, and no other key is replaced so', async () => {
    const { client, enrolment } = await anEnrolment()
    const { text } = await enter(enrolment.token)
    const others = await anEnrolment()
    const foreign = await enter(others.enrolment.token)
    const replace = clientOf(text).replaceAgentKey(foreign.told)
    await expect(replace).rejects.toMatchObject({ status: 409 })
    expect((await enter(enrolment.token, foreign)).status).toBe(403)
    await expect(client.replaceAgentKey((await aKey()).told)).rejects.toMatchObject({ status: 409 })
  })
})

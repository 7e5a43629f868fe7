import { describe, expect, inject, it } from 'vitest'
import type { BlockDocument } from '#core/wire/block-document.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { OutgoingRequest } from '#domain/notifications/outgoing.ts'
import type { Workspace } from '#storage/workspace.ts'
import { CallFailed, guardedFetch } from '../../worker/operations/guarded-fetch.ts'
import { callWebhook, sendNotification } from '../../worker/operations/notify.ts'
import { RECEIVER } from '../support/provided.ts'
import { bindings } from '../support/workspace.ts'

const receiver = inject(RECEIVER)
const open = { HEADGATE_ALLOW_PRIVATE_NOTIFICATIONS: 'true' }
const workspace = { bindings: { ...bindings, ...open } } as Workspace

interface Kept {
  method: string
  path: string
  headers: Record<string, string>
  body: string
}

async function kept(name: string): Promise<Kept[]> {
  return await (await fetch(`${receiver}/kept/${name}`)).json<Kept[]>()
}

function block(slug: string, data: JsonObject): Pick<BlockDocument, 'data' | 'block_type'> {
  return { data, block_type: { slug } as BlockDocument['block_type'] }
}

function request(url: string, over: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return { method: 'POST', url, headers: {}, body: 'b', followsRedirects: true, ...over }
}

describe('notifications arrive', () => {
  it('from a custom webhook', async () => {
    const name = crypto.randomUUID()
    const data = {
      name: 'hook',
      url: `${receiver}/keep/${name}`,
      json_data: { text: '{{subject}}: {{body}}', token: '{{token}}' },
      headers: { 'X-Token': '{{token}}' },
      secrets: { token: 's3cret' },
    }
    expect(await sendNotification(workspace, block('custom-webhook', data), 'S', 'B ü')).toEqual({
      ok: true,
      details: {},
    })
    const [arrived] = await kept(name)
    expect(arrived?.headers['x-token']).toBe('s3cret')
    expect(JSON.parse(arrived?.body ?? '')).toEqual({ text: 'S: B ü', token: 's3cret' })
  })

  it('at every channel of a mattermost', async () => {
    const { hostname, port } = new URL(receiver)
    const token = crypto.randomUUID()
    const data = { hostname, port: Number(port), token, path: 'keep', channels: ['a', 'b'] }
    const sent = await sendNotification(workspace, block('mattermost-webhook', data), null, 'B')
    expect(sent.ok).toBe(true)
    const arrived = (await kept(token)).map(({ body }) => JSON.parse(body) as unknown)
    expect(arrived).toMatchObject([
      { text: 'B', channel: 'a' },
      { text: 'B', channel: 'b' },
    ])
  })

  it('from a webhook, whose answer is told whatever it is', async () => {
    const name = crypto.randomUUID()
    const data = { url: `${receiver}/keep/${name}`, method: 'PUT', headers: { 'X-A': 'b' } }
    const sent = await callWebhook(workspace, block('webhook', data), '{"a": 1}')
    expect(sent).toMatchObject({
      ok: true,
      details: {
        status_code: 200,
        response_body: 'thanks',
        response_headers: { 'x-answer': 'yes' },
      },
    })
    expect(sent.details['response_headers']).not.toHaveProperty('set-cookie')
    expect(await kept(name)).toMatchObject([{ method: 'PUT', body: '{"a": 1}' }])
    const refused = await callWebhook(
      workspace,
      block('webhook', { url: `${receiver}/status/500` }),
      '',
    )
    expect(refused).toMatchObject({ ok: true, details: { status_code: 500 } })
  })

  it('not with a payload where there is none by GET', async () => {
    const name = crypto.randomUUID()
    const data = { url: `${receiver}/keep/${name}`, method: 'GET' }
    expect((await callWebhook(workspace, block('webhook', data), 'x')).ok).toBe(true)
    expect(await kept(name)).toMatchObject([{ method: 'GET', body: '' }])
  })
})

describe('notifications that fail say why', () => {
  it.each<[string, JsonObject, string]>([
    ['custom-webhook', { name: 'n', url: `${receiver}/status/503` }, 'answered 503: no, thanks'],
    ['custom-webhook', { name: 'n', url: 'http://127.0.0.1:1/' }, 'could not be reached'],
    [
      'custom-webhook',
      { name: 'n', url: `${receiver}/silent`, timeout: 0.3 },
      'within 0.3 seconds',
    ],
    ['custom-webhook', { name: 'n', url: 'nowhere' }, 'no URL'],
    ['custom-webhook', { name: 'n', url: '{{x}}' }, "names 'x'"],
    ['slack-webhook', { url: 'https://example.com' }, 'no webhook of Slack'],
    ['secret', { value: 'x' }, 'sends no notifications'],
  ])('%s %j', async (slug, data, reason) => {
    const sent = await sendNotification(workspace, block(slug, data), 's', 'b')
    expect(sent).toMatchObject({ ok: false, reason: 'Notification failed' })
    expect(sent.details['notification_log']).toContain(reason)
  })

  it('without the address, which may be the secret', async () => {
    const data = { name: 'n', url: `${receiver}/status/400?token=s3cret` }
    const sent = await sendNotification(workspace, block('custom-webhook', data), 's', 'b')
    expect(JSON.stringify(sent)).not.toContain('s3cret')
  })

  it('a block of another type is no webhook', async () => {
    expect(await callWebhook(workspace, block('secret', {}), '')).toMatchObject({ ok: false })
  })
})

describe('calls are guarded', () => {
  const closed = { HEADGATE_OWN_HOSTS: 'head.example,other.example' }

  it.each([
    receiver,
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:7f00:1]/',
    'https://head.example/api/flows/',
    'http://localhost:8787/',
    'file:///etc/passwd',
    'https://user:secret@example.com/',
  ])('%s is not called', async (url) => {
    await expect(guardedFetch(request(url), closed)).rejects.toThrow(CallFailed)
  })

  it('a name that nobody knows is not called', async () => {
    const call = guardedFetch(
      request('https://no-such-name.headgate-tests.invalid.example/'),
      closed,
    )
    await expect(call).rejects.toThrow('could not be resolved')
  })

  it('a message that is too long is not sent', async () => {
    const call = guardedFetch(request(receiver, { body: 'x'.repeat(1_000_001) }), open)
    await expect(call).rejects.toThrow('longer than')
  })

  it('redirects are followed, three at most', async () => {
    const name = crypto.randomUUID()
    const to = (status: number, target: string) =>
      `${receiver}/redirect/${status}?to=${encodeURIComponent(target)}`
    const target = to(307, to(308, `${receiver}/keep/${name}`))
    expect(await guardedFetch(request(target), open)).toMatchObject({ status: 200, body: 'thanks' })
    await guardedFetch(request(to(302, `${receiver}/keep/${name}`)), open)
    expect(await kept(name)).toMatchObject([
      { method: 'POST', body: 'b' },
      { method: 'GET', body: '' },
    ])
    await expect(guardedFetch(request(`${receiver}/loop`), open)).rejects.toThrow(
      'more than 3 times',
    )
  })

  it('a redirect is not followed for a webhook', async () => {
    const url = `${receiver}/redirect/302?to=/keep/x`
    expect(await guardedFetch(request(url, { followsRedirects: false }), open)).toMatchObject({
      status: 302,
    })
  })

  it('credentials stay with the host that they are for', async () => {
    const name = crypto.randomUUID()
    const other = receiver.replace('127.0.0.1', 'localhost')
    const url = `${receiver}/redirect/307?to=${encodeURIComponent(`${other}/keep/${name}`)}`
    const headers = {
      Authorization: 'Bearer s3cret',
      'X-Token': 's3cret',
      'Content-Type': 'text/x',
    }
    // The receiver listens at one address only; where the name means another, there is nothing to see.
    await guardedFetch(request(url, { headers }), open).catch(() => undefined)
    for (const { headers: arrived } of await kept(name)) {
      expect(JSON.stringify(arrived)).not.toContain('s3cret')
      expect(arrived['content-type']).toBe('text/x')
    }
  })

  it('an answer without end is read to a limit', async () => {
    const { body } = await guardedFetch(request(`${receiver}/endless`), open)
    expect(body.length).toBeGreaterThan(10_000)
    expect(body.length).toBeLessThan(400_000)
  })
})

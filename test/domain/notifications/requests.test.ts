import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '#core/wire/common.ts'
import { NotificationFault, type OutgoingRequest } from '#domain/notifications/outgoing.ts'
import { canNotify, notificationRequests } from '#domain/notifications/requests.ts'
import { cutMiddle, isQuietHeader, webhookRequest } from '#domain/notifications/webhook.ts'

interface Recorded {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

interface Vector {
  slug: string
  data: JsonObject
  subject: string | null
  body: string
  payload?: string
  requests?: Recorded[]
  error?: string
}

const vectors = JSON.parse(
  readFileSync(new URL('../fixtures/notification-vectors.json', import.meta.url), 'utf8'),
) as Vector[]

/** What the receiver reads out of a request; the sender's name and the time are nobody's concern. */
function meaning({ method, url, headers, body }: Recorded | OutgoingRequest) {
  const entries = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name !== 'user-agent')
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  const { origin, pathname, searchParams } = new URL(url)
  const sent = body ?? ''
  const type = entries.find(([name]) => name === 'content-type')?.[1] ?? ''
  return {
    method,
    address: origin + pathname,
    query: [...searchParams],
    headers: entries,
    body: type.startsWith('application/json')
      ? withoutTime(JSON.parse(sent) as JsonObject)
      : type.includes('urlencoded')
        ? [...new URLSearchParams(sent)]
        : sent,
  }
}

function withoutTime(payload: JsonObject): unknown {
  return JSON.parse(
    JSON.stringify(payload, (key, value: unknown) => {
      if (key === 'ts') {
        return 'a time'
      }
      // One of Prefect's blocks forgets the name that all the others give themselves.
      return key === 'footer' && value === 'Apprise' ? 'Prefect Notifications' : value
    }),
  )
}

/** Prefect goes through some receivers in no order. */
function inOrder(requests: (Recorded | OutgoingRequest)[]): string[] {
  return requests.map((request) => JSON.stringify(meaning(request))).toSorted()
}

const slugs = [...new Set(vectors.map(({ slug }) => slug))].filter((slug) => slug !== 'webhook')

describe("the same requests as Prefect's blocks", () => {
  it('has vectors of every block type', () => {
    expect(slugs.length).toBe(9)
    expect(slugs.every(canNotify)).toBe(true)
  })

  it.each(slugs)('%s', (slug) => {
    const own = vectors.filter((vector) => vector.slug === slug)
    expect(own.length).toBeGreaterThan(6)
    for (const { data, subject, body, requests, error } of own) {
      const send = () => notificationRequests(slug, data, { subject, body }, 0)
      if (error === undefined) {
        expect(inOrder(send())).toEqual(inOrder(requests ?? []))
      } else {
        expect(send).toThrow(NotificationFault)
      }
    }
  })

  it('webhook', () => {
    for (const { data, payload, requests } of vectors.filter(({ slug }) => slug === 'webhook')) {
      expect(inOrder([webhookRequest(data, payload ?? '')])).toEqual(inOrder(requests ?? []))
    }
  })
})

describe('blocks that send nothing', () => {
  const notification = { subject: 's', body: 'b' }

  it.each<[string, JsonObject]>([
    ['slack-webhook', { url: 'https://evil.example/services/A/B/C' }],
    ['slack-webhook', { url: 'https://hooks.slack.com.evil.example/services/A/B/C' }],
    ['slack-webhook', {}],
    ['ms-teams-webhook', { url: 'https://example.com/' }],
    ['ms-teams-webhook', { url: 'http://x/workflows/a/triggers/manual/paths/invoke?sig=1' }],
    ['pager-duty-webhook', { integration_key: 'k' }],
    [
      'twilio-sms',
      { account_sid: 'a', auth_token: 'b', from_phone_number: 'x', to_phone_numbers: ['1'] },
    ],
    ['opsgenie-webhook', {}],
    ['mattermost-webhook', { hostname: 'a/b', token: 't' }],
    ['mattermost-webhook', { hostname: 'a@b', token: 't' }],
    ['discord-webhook', { webhook_id: '1' }],
    ['sendgrid-email', { api_key: 'k' }],
    ['custom-webhook', { name: 'n', url: 'https://x.example/{{nope}}' }],
    ['custom-webhook', { name: 'n', url: 'https://x.example/', form_data: 'a', json_data: {} }],
    ['secret', {}],
  ])('%s %j', (slug, data) => {
    expect(() => notificationRequests(slug, data, notification, 0)).toThrow(NotificationFault)
  })

  it('an unknown type of notification', () => {
    const data = { webhook_id: '1', webhook_token: '2', avatar: true, notify_type: 'loud' }
    expect(() => notificationRequests('discord-webhook', data, notification, 0)).toThrow(
      'notify_type',
    )
  })
})

it('keeps what is in a mattermost address inside its path', () => {
  const data = { hostname: 'mm.example', token: '../../x?y', path: 'sub', secure: true }
  const [request] = notificationRequests(
    'mattermost-webhook',
    data,
    { subject: null, body: 'b' },
    0,
  )
  expect(request?.url).toBe('https://mm.example:8065/sub/hooks/..%2F..%2Fx%3Fy')
})

it('shows of an answer what may be shown', () => {
  expect(cutMiddle('short', 10)).toBe('short')
  expect(cutMiddle(`${'a'.repeat(600)}${'b'.repeat(600)}`, 1000)).toBe(
    `${'a'.repeat(500)}...200 additional characters...${'b'.repeat(500)}`,
  )
  expect(
    ['Authorization', 'X-Forwarded-For', 'Set-Cookie', 'traceparent'].every(isQuietHeader),
  ).toBe(true)
  expect(['Content-Type', 'X-Answer'].some(isQuietHeader)).toBe(false)
})

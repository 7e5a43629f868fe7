import { isAddress, isPublicAddress, refusedAddress } from '#domain/address-guard.ts'
import type { OutgoingRequest } from '#domain/notifications/outgoing.ts'
import type { Bindings } from '#storage/workspace.ts'

/** A call that was not made, or not answered; the message is fit for users. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed'
}

export interface Answer {
  status: number
  headers: [name: string, value: string][]
  body: string
}

type Settings = Pick<Bindings, 'HEADGATE_ALLOW_PRIVATE_NOTIFICATIONS' | 'HEADGATE_OWN_HOSTS'>

const MAX_REDIRECTS = 3
/** What an automation shows of an answer is a thousand characters. */
const MAX_ANSWER_BYTES = 65_536
/** No receiver takes a larger message. */
const MAX_BODY_LENGTH = 1_000_000
const DEFAULT_TIMEOUT_MS = 10_000
const MAX_TIMEOUT_MS = 30_000
const RESOLVE_TIMEOUT_MS = 5_000

/**
 * Calls an address that a user has given. Refuses what is no public place: the address itself, every address that its name
 * stands for, and each redirect again. A Worker has no resolver, so names are looked up over HTTPS at 1.1.1.1; when that
 * fails, the call is refused. Between that look-up and the call's own a name may change: Cloudflare's network, from where
 * the call goes, has no private addresses to reach.
 */
export async function guardedFetch(request: OutgoingRequest, settings: Settings): Promise<Answer> {
  if ((request.body?.length ?? 0) > MAX_BODY_LENGTH) {
    throw new CallFailed(`The message is longer than ${MAX_BODY_LENGTH} characters.`)
  }
  const timeout = Math.min(request.timeout ?? DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS)
  const signal = AbortSignal.timeout(Math.max(1, timeout))
  try {
    return await follow(request, settings, signal)
  } catch (error) {
    if (error instanceof CallFailed) {
      throw error
    }
    const timedOut = error instanceof Error && error.name === 'TimeoutError'
    throw new CallFailed(
      timedOut
        ? `There was no answer within ${timeout / 1000} seconds.`
        : 'The address could not be reached.',
      { cause: error },
    )
  }
}

async function follow(
  request: OutgoingRequest,
  settings: Settings,
  signal: AbortSignal,
): Promise<Answer> {
  let url = parse(request.url)
  let { method, headers, body } = request
  for (let redirects = 0; ; redirects += 1) {
    await assertPublic(url, settings)
    const response = await fetch(url, {
      method,
      headers,
      // The platform allows no body here, where it would have no meaning either.
      ...(body === undefined || method === 'GET' ? {} : { body }),
      redirect: 'manual',
      signal,
    })
    const location = response.headers.get('Location')
    if (!request.followsRedirects || location === null || !isRedirect(response.status)) {
      return {
        status: response.status,
        headers: [...response.headers],
        body: await readSome(response),
      }
    }
    await response.body?.cancel()
    if (redirects >= MAX_REDIRECTS) {
      throw new CallFailed(`The address redirects more than ${MAX_REDIRECTS} times.`)
    }
    const next = parse(location, url)
    if (next.origin !== url.origin) {
      // What proves the sender to one host is no concern of another.
      headers = withoutCredentials(headers)
    }
    if (response.status !== 307 && response.status !== 308) {
      method = 'GET'
      body = undefined
    }
    url = next
  }
}

function parse(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href)
  if (url === null) {
    throw new CallFailed('The address is no URL.')
  }
  return url
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

function withoutCredentials(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => /^(?:user-agent|content-type)$/i.test(name)),
  )
}

async function assertPublic(url: URL, settings: Settings): Promise<void> {
  if (settings.HEADGATE_ALLOW_PRIVATE_NOTIFICATIONS === 'true') {
    return
  }
  const own = (settings.HEADGATE_OWN_HOSTS ?? '').split(',').filter((host) => host !== '')
  const refused = refusedAddress(url, own)
  if (refused !== undefined) {
    throw new CallFailed(refused)
  }
  if (isAddress(url.hostname)) {
    return
  }
  const addresses = await resolve(url.hostname)
  const inner = addresses.find((address) => !isPublicAddress(address))
  if (inner !== undefined) {
    throw new CallFailed(`${url.hostname} stands for ${inner}, which is no public address.`)
  }
}

interface DnsAnswer {
  Status: number
  Answer?: { type: number; data: string }[]
}

const RECORD_TYPES = { A: 1, AAAA: 28 }

async function resolve(name: string): Promise<string[]> {
  let found: string[][]
  try {
    found = await Promise.all(
      Object.entries(RECORD_TYPES).map(async ([type, number]) => {
        const query = new URLSearchParams({ name, type })
        const response = await fetch(`https://cloudflare-dns.com/dns-query?${query.toString()}`, {
          headers: { Accept: 'application/dns-json' },
          signal: AbortSignal.timeout(RESOLVE_TIMEOUT_MS),
        })
        if (!response.ok) {
          throw new Error(`the resolver answered ${response.status}`)
        }
        const { Answer: answers = [] } = await response.json<DnsAnswer>()
        return answers.filter((answer) => answer.type === number).map((answer) => answer.data)
      }),
    )
  } catch (error) {
    throw new CallFailed(`${name} could not be resolved.`, { cause: error })
  }
  const addresses = found.flat()
  if (addresses.length === 0) {
    throw new CallFailed(`${name} could not be resolved.`)
  }
  return addresses
}

/** The beginning of an answer: its sender may never end it. */
async function readSome(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) {
    return ''
  }
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  while (length < MAX_ANSWER_BYTES) {
    const { done, value } = await reader.read()
    if (done) {
      return text + decoder.decode()
    }
    length += value.byteLength
    text += decoder.decode(value, { stream: true })
  }
  await reader.cancel()
  return text
}

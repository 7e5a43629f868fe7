import { API_URL, fetchWorker } from '../support/workspace.ts'
import type { Route } from '../support/routes.ts'
import type { Request } from './requests.ts'

/** An answer with what differs from call to call put into one form. */
export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
  /** The ids in it beside those that were tried. */
  told: string[]
}

export async function answerTo(
  route: Route,
  request: Request,
  token: string | undefined,
  /** What stands for itself in the answer: the ids and names that were tried. */
  tried: readonly string[],
): Promise<Answer> {
  const url = new URL(API_URL + request.path)
  for (const [name, value] of Object.entries(request.query)) {
    url.searchParams.set(name, value)
  }
  const response = await fetchWorker(url.href, {
    method: route.method.toUpperCase(),
    headers: headersOf(token),
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
  })
  const body = hiding(tried, await response.text())
  const headers = [...response.headers].filter(([name]) => !PER_CALL.has(name))
  return {
    status: response.status,
    headers: Object.fromEntries(headers),
    body: inOneForm(body),
    told: uuidsIn(body),
  }
}

/** @param token a key, or the cookie of a session, which says where it comes from as browsers do */
export function headersOf(token: string | undefined): Record<string, string> {
  if (token === undefined) {
    return {}
  }
  return token.includes('session_token=')
    ? { Cookie: token, Origin: new URL(API_URL).origin }
    : { Authorization: `Bearer ${token}` }
}

const PER_CALL: ReadonlySet<string> = new Set([
  'x-request-id',
  'content-length',
  'headgate-data-age',
  'retry-after',
])
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi
/** Numbers that grow with time or with each change. */
const CLOCKS =
  /"(\w*(time|delta|duration|lateness|seconds|version|position|occupancy)\w*)":-?\d+(\.\d+)?(e-?\d+)?/g
/** Keys, and what they are recognised by. */
const KEYS = /hg_key_[\w…]+/g
const CURSORS = /"(next_cursor|next_page)":"[^"]*"/g
/** The names that runs are given which came without one. */
const GIVEN_NAME = /"name":"[a-z]+-[a-z]+"/g

export function isSame(a: Answer, b: Answer): boolean {
  const [one, other] = [a, b].map(({ told: _told, ...answer }) => JSON.stringify(answer))
  return one === other
}

export function uuidsIn(text: string): string[] {
  return text.toLowerCase().match(UUID) ?? []
}

function hiding(tried: readonly string[], text: string): string {
  let hidden = text
  for (const value of tried.toSorted((a, b) => b.length - a.length)) {
    hidden = hidden.replaceAll(value, '<tried>').replaceAll(encodeURIComponent(value), '<tried>')
  }
  return hidden
}

function inOneForm(text: string): string {
  const ids = new Map<string, string>()
  return text
    .replaceAll(UUID, (id) => {
      const known = ids.get(id) ?? `<id ${ids.size + 1}>`
      ids.set(id, known)
      return known
    })
    .replaceAll(TIME, '<time>')
    .replace(/^\d+\.\d+$/, '<seconds>')
    .replaceAll(CLOCKS, '"$1":"<number>"')
    .replaceAll(KEYS, '<key>')
    .replaceAll(CURSORS, '"$1":"<cursor>"')
    .replaceAll(GIVEN_NAME, '"name":"<given>"')
}

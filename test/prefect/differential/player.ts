import type { Call, Scenario } from './call.ts'
import { Normaliser, type Normal } from './normaliser.ts'

/** A server to play to, and the headers that let one in. */
export interface Target {
  url: string
  headers: Record<string, string>
}

export interface Played {
  status: number
  /** What is JSON is parsed; any other body is its text. */
  body: Normal
  /** Those that clients look at. */
  headers: Record<string, string>
}

/** How long something that a server does by itself may take. Prefect looks at schedules every five seconds. */
const PATIENCE_MS = 15_000
const PAUSE_MS = 250
/** How often a server that can not answer is asked again. */
const ATTEMPTS = 3
const HEADERS_READ = ['retry-after', 'content-type', 'content-disposition']

/** Sends the calls one after another; what depends on the server or on the clock is taken out of the answers. */
export async function play(target: Target, scenario: Scenario, now: number): Promise<Played[]> {
  const normaliser = new Normaliser(now)
  const answers = new Map<string, unknown>()
  const played: Played[] = []
  for (const [index, call] of scenario.calls.entries()) {
    const filled = fill(call, answers, normaliser)
    const { response, body } = await sendUntil(target, call, filled)
    if (call.as !== undefined) {
      answers.set(call.as, body)
    }
    const headers = HEADERS_READ.flatMap((name) => {
      const value = response.headers.get(name)
      // A wait is chosen by chance.
      return value === null ? [] : [[name, name === 'retry-after' ? 'seconds' : value]]
    })
    played.push({
      status: response.status,
      body: normaliser.normalise(body, call.as ?? String(index + 1), call.unordered === true),
      headers: Object.fromEntries(headers) as Record<string, string>,
    })
  }
  return played
}

interface Filled {
  path: string
  body: unknown
}

async function sendUntil(target: Target, call: Call, filled: Filled) {
  const deadline = Date.now() + PATIENCE_MS
  let attempts = 0
  for (;;) {
    const answer = await send(target, call, filled)
    const { body } = answer
    const count = Array.isArray(body) ? body.length : body
    attempts += isUnavailable(answer) ? 1 : 0
    const isDone =
      !isUnavailable(answer) &&
      (call.until ?? count) === count &&
      (call.untilState === undefined || stateOf(body) === call.untilState)
    if (isDone || attempts > ATTEMPTS || Date.now() > deadline) {
      return answer
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

function stateOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'state_name' in body ? body.state_name : null
}

/** SQLite under Prefect's server is busy at times; its client asks again, too. */
function isUnavailable({ response, body }: { response: Response; body: unknown }): boolean {
  return response.status >= 500 || JSON.stringify(body).includes('database is locked')
}

async function send(target: Target, call: Call, { path, body }: Filled) {
  const text = typeof body === 'string' && call.headers?.['raw'] ? body : JSON.stringify(body)
  const { raw: _raw, ...headers } = call.headers ?? {}
  const request = {
    method: call.method,
    headers: { 'Content-Type': 'application/json', ...target.headers, ...headers },
    ...(body === undefined ? {} : { body: text }),
  }
  // A connection that was kept may have been closed at the other end: the request has not been read.
  const response = await fetch(`${target.url}${path}`, request).catch(
    async () => await fetch(`${target.url}${path}`, request),
  )
  const answered = await response.text()
  return { response, body: parsed(answered) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The call with the texts in angles replaced. */
function fill(call: Call, answers: Map<string, unknown>, normaliser: Normaliser): Filled {
  const replace = (text: string) =>
    text.replaceAll(/<([\w.+-]+)>/g, (whole, words: string) => {
      if (words === 'uuid') {
        return '00000000-0000-4000-8000-000000000000'
      }
      const seconds = /^now([+-]\d+)?$/.exec(words)
      if (seconds !== null) {
        return normaliser.timeAhead(Number(seconds[1] ?? 0), words)
      }
      const [name = '', ...fields] = words.split('.')
      return answers.has(name) ? reach(answers.get(name), fields, words) : whole
    })
  return { path: replace(call.path), body: inTexts(call.body, replace) }
}

function reach(value: unknown, fields: string[], words: string): string {
  const found = fields.reduce<unknown>(
    (inner, field) => (inner as Record<string, unknown> | null | undefined)?.[field],
    value,
  )
  return typeof found === 'string' ? found : `nothing-at-${words}`
}

function inTexts(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') {
    return replace(value)
  }
  if (Array.isArray(value)) {
    return value.map((item) => inTexts(item, replace))
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, inTexts(item, replace)]),
    )
  }
  return value
}

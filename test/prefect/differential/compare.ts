import type { Scenario } from './call.ts'
import type { Normal } from './normaliser.ts'
import type { Played } from './player.ts'

/** A line for each way in which Headgate's answers differ: `flows > 3 POST /flows/ > body.name: "a", not "b"`. */
export function compare(scenario: Scenario, prefect: Played[], headgate: Played[]): string[] {
  return scenario.calls.flatMap((call, index) => {
    const [theirs, ours] = [prefect[index], headgate[index]]
    if (theirs === undefined || ours === undefined) {
      return [`${scenario.name} > ${index + 1}: not played`]
    }
    const where = `${scenario.name} > ${index + 1} ${call.method} ${call.path}`
    return differences(theirs, ours).map((line) => `${where} > ${line}`)
  })
}

function differences(theirs: Played, ours: Played): string[] {
  if (theirs.status !== ours.status) {
    return [
      `status: ${ours.status}, not ${theirs.status} (${brief(ours.body)}, not ${brief(theirs.body)})`,
    ]
  }
  const [their, own] =
    theirs.status === 422 ? refusals(theirs.body, ours.body) : [theirs.body, ours.body]
  return [...inside('body', their, own), ...inside('headers', theirs.headers, ours.headers)]
}

function inside(at: string, theirs: Normal | undefined, ours: Normal | undefined): string[] {
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    const [their, own] = [names(theirs), names(ours)]
    if (their !== undefined && own !== undefined && their !== own) {
      return [`${at}: [${own}], not [${their}]`]
    }
    const length =
      theirs.length === ours.length ? [] : [`${at}: ${ours.length} items, not ${theirs.length}`]
    return [
      ...length,
      ...theirs
        .slice(0, ours.length)
        .flatMap((item, index) => inside(`${at}.${index}`, item, ours[index])),
    ]
  }
  if (isObject(theirs) && isObject(ours)) {
    const keys = new Set([...Object.keys(theirs), ...Object.keys(ours)])
    return [...keys].flatMap((key) => inside(`${at}.${key}`, theirs[key], ours[key]))
  }
  return theirs === ours ? [] : [`${at}: ${brief(ours)}, not ${brief(theirs)}`]
}

/** What is in a list, shortly: where that differs, nothing is gained by comparing the first with another. */
function names(list: Normal[]): string | undefined {
  const found = list.map((item) => (isObject(item) ? (item['name'] ?? item['slug']) : undefined))
  return found.every((name) => typeof name === 'string') ? found.join(', ') : undefined
}

function isObject(value: Normal | undefined): value is Record<string, Normal> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * What of a refusal is compared: its message and which fields it is about. Pydantic tells further what it was given, links
 * to its pages, and of a union every alternative; the words of a reason are compared in one test of their own.
 */
function refusals(theirs: Normal, ours: Normal): [Normal, Normal] {
  const [their, own] = [refusal(theirs), refusal(ours)]
  // Where a route of Prefect's refuses by hand, its answer is but a sentence.
  return their === undefined ? [null, null] : [their, own ?? ours]
}

function refusal(body: Normal): Normal | undefined {
  if (!isObject(body) || !Array.isArray(body['exception_detail'])) {
    return undefined
  }
  const fields = body['exception_detail'].map((detail) =>
    isObject(detail) && Array.isArray(detail['loc'])
      ? detail['loc']
          .slice(0, 3)
          .filter((part) => !isTag(part))
          .map((part) => JSON.stringify(part))
          .join('.')
      : '?',
  )
  return {
    exception_message: body['exception_message'] ?? null,
    fields: [...new Set(fields)].toSorted(),
  }
}

/** Pydantic puts the name of a union's alternative into the way to a field. */
function isTag(part: Normal): boolean {
  return typeof part === 'string' && /[A-Z[(]|^(int|str|float|bool|function-)/.test(part)
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent'
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

import type { Route } from '../support/routes.ts'
import { answerTo, isSame, uuidsIn, type Answer } from './answers.ts'
import type { Attempt } from './cases.ts'
import type { FullWorkspace } from './full-workspace.ts'
import { renew } from './given.ts'
import { isBulk, isWrite } from './operations.ts'
import { requestOf, type Filling } from './requests.ts'

/** What the caller's own workspace does meanwhile may change an answer once or twice, not each time. */
const ROUNDS = 3
const SETTLE_MS = 700
const IS_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Asks for what is another's, and for what never was, and compares. */
export class Prober {
  cases = 0
  calls = 0
  /** Not tried, since the name had become the caller's own. */
  takenCases = 0
  readonly #own: FullWorkspace
  /** What is unique in the ids and names of the other workspace. */
  readonly #foreign: ReadonlySet<string>
  /** Foreign ids that the caller's own workspace may tell of, since the caller wrote them there. */
  readonly #written = new Set<string>()
  /** Names that the caller's own workspace has come to have as well, since the caller made something of that name. */
  readonly #taken = new Set<string>()
  /** What was answered last about things that never were, by operation, caller and slots. */
  readonly #answers = new Map<string, Answer>()

  constructor(own: FullWorkspace, foreign: FullWorkspace) {
    this.#own = own
    const texts = Object.values(foreign.known).flatMap(({ ids, names }) => [...ids, ...names])
    this.#foreign = new Set(texts.flatMap(uuidsIn))
  }

  /** In words, what the answer gives away; undefined: nothing. */
  async faultOf(
    route: Route,
    attempt: Attempt,
    token: string | undefined,
  ): Promise<string | undefined> {
    const values = attempt.flatMap(({ value }) => value)
    if (values.some((value) => this.#taken.has(value))) {
      this.takenCases += values.length
      return undefined
    }
    this.cases += values.length
    const asked = attempt.map(({ slot, value }) => ({ slot, value }))
    const ask = async () => await this.#ask(route, asked, token)
    const askNever = async () =>
      await this.#ask(
        route,
        attempt.map(({ slot, never }) => ({ slot, value: never() })),
        token,
      )
    const slots = attempt.map(
      ({ slot }) => `${slot.where} ${JSON.stringify(slot.steps)} ${slot.name}`,
    )
    const key = `${route.name} ${String(token)} ${slots.join()}`
    let never = this.#answers.get(key) ?? (await askNever())
    for (let round = 1; ; round += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const got = await ask()
      if (!isSame(got, never)) {
        // oxlint-disable-next-line no-await-in-loop -- the same
        never = await askNever()
      }
      this.#answers.set(key, never)
      const leaked = got.told.find((id) => this.#foreign.has(id) && !this.#written.has(id))
      if (leaked !== undefined) {
        return `${slots.join(', ')}: tells of ${leaked}: ${got.body.slice(0, 500)}`
      }
      if (isSame(got, never)) {
        this.#noteTaken(route, attempt, got)
        return undefined
      }
      if (round === ROUNDS) {
        return `${slots.join(', ')}: ${JSON.stringify(asked.map(({ value }) => value))} is answered ${inShort(got)}, one that never was ${inShort(never)}`
      }
      // oxlint-disable-next-line no-await-in-loop -- the same
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    }
  }

  /** What the caller makes under a name, or an id, that it chose itself is its own from then on. */
  #noteTaken(route: Route, attempt: Attempt, { status }: Answer): void {
    if ((isWrite(route) || isBulk(route)) && status < 300) {
      attempt
        .flatMap(({ slot, value }) => [value].flat().map((one) => ({ slot, one })))
        .filter(({ slot, one }) => slot.name === 'id' || !IS_UUID.test(one))
        .forEach(({ one }) => this.#taken.add(one))
    }
  }

  async #ask(route: Route, fillings: Filling[], token: string | undefined): Promise<Answer> {
    await renew(route, this.#own)
    this.calls += 1
    const tried = fillings.flatMap(({ value }) => value)
    if (isWrite(route)) {
      tried.flatMap(uuidsIn).forEach((id) => this.#written.add(id))
    }
    return await answerTo(route, requestOf(route, this.#own, fillings), token, tried)
  }
}

function inShort({ status, body, headers }: Answer): string {
  return `${status} ${body.slice(0, 300)} ${JSON.stringify(headers)}`
}

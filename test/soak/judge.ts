import type { Change, ClaimAnswer, Evidence, Run, Sighting, Span } from './evidence.ts'

/** What was wrong, a sentence each; and how much was looked at, since a check that met nothing has shown nothing. */
export interface Verdict {
  doubled: string[]
  overLimit: string[]
  inversions: string[]
  /** Starts at which others were running, judged by a limit. */
  startsJudged: number
  /** Pairs of a run that was given out and another one that demonstrably waited and might have been given out instead. */
  claimsJudged: number
}

export function judge(evidence: Evidence): Verdict {
  const limits = judgeLimits(evidence)
  const order = judgeOrder(evidence)
  return {
    doubled: findDoubled(evidence),
    overLimit: limits.found,
    startsJudged: limits.judged,
    inversions: order.found,
    claimsJudged: order.judged,
  }
}

/** No two executions of a run, and no two processes of its flow, were alive at the same time. */
function findDoubled({ executions, flows }: Evidence): string[] {
  return [...overlaps(executions, (one) => one.fence), ...overlaps(flows, (one) => one.pid)]
}

function overlaps(sightings: Sighting[], identity: (one: Sighting) => number): string[] {
  return [...Map.groupBy(sightings, ({ run }) => run).values()].flatMap((ofRun) =>
    ofRun.flatMap((one, index) =>
      ofRun
        .slice(index + 1)
        .filter((other) => identity(other) !== identity(one) && meet(one, other))
        .map(
          (other) =>
            `run ${one.run} was executed twice at ${Math.max(one.from, other.from)}: ${show(one)} and ${show(other)}`,
        ),
    ),
  )
}

function show({ fence, pid, from, to }: Sighting): string {
  return `fence ${fence}, process ${pid}, ${from} to ${to}`
}

function meet(one: Span, other: Span): boolean {
  return one.from < other.to && other.from < one.to
}

/**
 * At no instant more executions are alive than their limit allows. A limit that is lowered ends nothing: so the bound is
 * what held when the last of them was claimed.
 */
function judgeLimits(evidence: Evidence): { found: string[]; judged: number } {
  const found: string[] = []
  let judged = 0
  const runs = new Map(evidence.runs.map((run) => [run.id, run]))
  const claimOf = new Map(
    evidence.claims.flatMap((claim) =>
      claim.runs.map(({ id, fence }) => [`${id}.${fence}`, claim] as const),
    ),
  )
  const scopes = ['pool', ...new Set(evidence.runs.flatMap((run) => [run.queue, run.deployment]))]
  for (const scope of scopes) {
    const inScope = evidence.executions.filter(({ run }) => isIn(runs.get(run), scope))
    for (const { from: at } of inScope) {
      const alive = inScope.filter(({ from, to }) => from <= at && at <= to)
      const bound = boundAt(evidence.changes, scope, alive, claimOf)
      if (bound !== Infinity) {
        judged += 1
        if (alive.length > bound) {
          const who = alive.map(({ run, fence }) => `${run}.${fence}`).join(', ')
          found.push(`${scope}: ${alive.length} at ${at}, limit ${bound}: ${who}`)
        }
      }
    }
  }
  return { found, judged }
}

function isIn(run: Run | undefined, scope: string): boolean {
  return run !== undefined && (scope === 'pool' || run.queue === scope || run.deployment === scope)
}

function boundAt(
  changes: Change[],
  scope: string,
  alive: Sighting[],
  claimOf: Map<string, ClaimAnswer>,
): number {
  const claims = alive.map(({ run, fence }) => claimOf.get(`${run}.${fence}`))
  const known = claims.filter((claim) => claim !== undefined)
  if (known.length < claims.length) {
    throw new Error(`nobody saw the server give out ${alive.map(({ run }) => run).join(' or ')}`)
  }
  // The last claim is one of those that overlap with the one that was answered last.
  const last = known.reduce((a, b) => (a.to >= b.to ? a : b))
  const from = Math.min(...known.filter(({ to }) => to >= last.from).map((claim) => claim.from))
  return Math.max(...limitsWithin(changes, scope, { from, to: last.to }))
}

/** All limits that may have held at some instant of a span. */
function limitsWithin(changes: Change[], scope: string, span: Span): number[] {
  return settings(changes, scope, span).map(({ limit }) => limit ?? Infinity)
}

function settings(changes: Change[], scope: string, span: Span): Change[] {
  const own = changes.filter(({ of }) => of === scope)
  const before = own.findLast(({ to }) => to <= span.from)
  const within = own.filter(({ from, to }) => from <= span.to && to > span.from)
  const unset: Change = { of: scope, limit: null, paused: false, from: 0, to: 0 }
  return [before ?? unset, ...within]
}

/**
 * A run is given out only when nothing more urgent can be: nothing of a queue that is served before its own, nothing that came
 * earlier in its own. Judged are pairs of which everything is known: the other one demonstrably waited for its first
 * execution all the while, and no limit and no pause can have held it back.
 */
function judgeOrder(evidence: Evidence): { found: string[]; judged: number } {
  const { claims, lostClaims } = evidence
  const runs = new Map(evidence.runs.map((run) => [run.id, run]))
  const priorities = new Map(evidence.queues.map(({ id, priority }) => [id, priority]))
  const first = firstClaims(claims)
  const slots = occupations(evidence, runs)
  const found: string[] = []
  let judged = 0
  const isBefore = (w: Run, r: Run, fence: number) => {
    const [a, b] = [priorities.get(w.queue) ?? 0, priorities.get(r.queue) ?? 0]
    return a < b || (a === b && fence === 1 && w.created.to < r.created.from)
  }
  for (const claim of claims) {
    const isBlurred = lostClaims.some((sent) => sent <= claim.to && sent > claim.from - BLUR_MS)
    claim.runs.forEach(({ id, fence }, index) => {
      const r = runs.get(id)
      if (r === undefined) {
        return
      }
      for (const { id: later } of claim.runs.slice(index + 1)) {
        const w = runs.get(later)
        if (w !== undefined && first.get(later) === claim && isBefore(w, r, fence)) {
          found.push(`${later} stands after ${id} in the claim of ${claim.from}`)
        }
      }
      for (const w of evidence.runs.filter((other) => waitedAllThrough(other, claim, first))) {
        if (mayStart(w, claim, evidence.changes, slots, isBlurred)) {
          judged += 1
          if (isBefore(w, r, fence)) {
            found.push(
              `${id} (queue ${r.queue}, fence ${fence}) was given out in ${claim.from} to ${claim.to} while ${w.id} (queue ${w.queue}) waited since ${w.created.to}`,
            )
          }
        }
      }
    })
  }
  return { found, judged }
}

/** A claim without an answer may hold runs for so long: on its way, and until they are back in their queue. */
const BLUR_MS = 120_000

/** The claim by which each run was given out for the first time, where it is known to have been the first. */
function firstClaims(claims: ClaimAnswer[]): Map<string, ClaimAnswer> {
  return new Map(
    claims.flatMap((claim) =>
      claim.runs.filter(({ fence }) => fence === 1).map(({ id }) => [id, claim] as const),
    ),
  )
}

function waitedAllThrough(w: Run, claim: ClaimAnswer, first: Map<string, ClaimAnswer>): boolean {
  const taken = first.get(w.id)
  return (
    w.created.to < claim.from &&
    taken !== undefined &&
    taken.from > claim.to &&
    (w.cancelled === undefined || w.cancelled > claim.to)
  )
}

/** Spans in which a run may have held its slots, from its claim to its acknowledged end. */
function occupations(
  { claims, finishes }: Evidence,
  runs: Map<string, Run>,
): (Span & { run: Run })[] {
  return claims.flatMap((claim) =>
    claim.runs.flatMap(({ id, fence }) => {
      const run = runs.get(id)
      const finished = finishes.find((one) => one.run === id && one.fence === fence)
      return run === undefined ? [] : [{ run, from: claim.from, to: finished?.at ?? Infinity }]
    }),
  )
}

function mayStart(
  w: Run,
  claim: ClaimAnswer,
  changes: Change[],
  slots: (Span & { run: Run })[],
  isBlurred: boolean,
): boolean {
  if ([w.queue, w.deployment, 'pool'].some((of) => isPaused(changes, of, claim))) {
    return false
  }
  return [w.queue, w.deployment].every((scope) => {
    const limit = Math.min(...limitsWithin(changes, scope, claim))
    const taken = slots.filter(
      ({ run, from, to }) => isIn(run, scope) && from <= claim.to && to >= claim.from,
    )
    return limit === Infinity || (!isBlurred && taken.length < limit)
  })
}

function isPaused(changes: Change[], of: string, span: Span): boolean {
  return settings(changes, of, span).some(({ paused }) => paused)
}

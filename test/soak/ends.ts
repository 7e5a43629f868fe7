import { isTerminal } from '../../core/state.ts'
import type { StateType } from '../../core/wire/state.ts'
import type { Entry } from './flows/torture.ts'
import type { Evidence, Run } from './evidence.ts'

/** A lease lasts so long after its last renewal; the clocks of an object stand still while it computes. */
const LEASE_MS = 45_000 - 1000

export interface Known {
  evidence: Evidence
  entries: Entry[]
  /** Runs whose processes were killed. */
  killed: ReadonlySet<string>
}

/** Every run has come to an end, and to one that something explains. @returns a sentence for each that has not */
export function judgeEnds(known: Known): string[] {
  return known.evidence.runs.flatMap((run) => {
    const wrong = whatIsWrong(run, known)
    return wrong === undefined
      ? []
      : [`run ${run.id} is ${String(run.end.name)} (${String(run.end.message)}): ${wrong}`]
  })
}

function whatIsWrong(run: Run, { evidence, entries, killed }: Known): string | undefined {
  const { type, agentLost, at } = run.end
  if (type === null || !isTerminal(type as StateType)) {
    return 'it has no end'
  }
  const reachedEnd = entries.some(({ run: id, what }) => id === run.id && what === 'end')
  switch (type) {
    case 'COMPLETED':
      return reachedEnd ? undefined : 'its flow never came to its end'
    case 'CANCELLED':
      return run.cancelled === undefined ? 'nobody cancelled it' : undefined
    case 'FAILED':
      return run.fails === 0 ? 'its flow never failed' : undefined
    default:
      return killed.has(run.id) || wasSilent(run, evidence, agentLost ? at : Infinity)
        ? undefined
        : 'nobody killed it, and its agent was not silent'
  }
}

/** Some execution of it went without renewal for as long as a lease lasts, before that time. */
function wasSilent({ id }: Run, { renewals, claims }: Evidence, before: number): boolean {
  // One that was accepted, and whose answer was lost, has been silent since its claim.
  const given = claims.filter(({ runs }) => runs.some((one) => one.id === id))
  const times = [
    ...given.map(({ from }) => from),
    ...renewals.filter(({ run }) => run === id).map(({ sent }) => sent),
  ]
    .filter((time) => time <= before)
    .toSorted((a, b) => a - b)
  return [...times, before].some(
    (time, index) => index > 0 && time - (times[index - 1] ?? 0) >= LEASE_MS,
  )
}

import { MAX_RUNS_A_REQUEST } from './request-limits.ts'

/** Cuts a list of flow runs that are to be made into what one request takes each. */
export function requestsOf<T>(flowRuns: readonly T[]): T[][] {
  const count = Math.ceil(flowRuns.length / MAX_RUNS_A_REQUEST)
  return Array.from({ length: count }, (_, index) =>
    flowRuns.slice(index * MAX_RUNS_A_REQUEST, (index + 1) * MAX_RUNS_A_REQUEST),
  )
}

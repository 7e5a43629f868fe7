import type { SoakReport } from './soak.ts'

/** All that was found wrong, a sentence each. */
export function wrongOf(report: SoakReport): string[] {
  const { lost, doubled, overLimit, inversions, missingLogs, leftBehind } = report
  return Object.entries({ lost, doubled, overLimit, inversions, missingLogs, leftBehind }).flatMap(
    ([kind, found]) => found.map((sentence) => `${kind}: ${sentence}`),
  )
}

/** The last line: one of JSON. */
export function verdictLine(report: SoakReport): string {
  return JSON.stringify({
    runs: report.runs,
    kills: report.kills,
    lost: report.lost.length,
    doubled: report.doubled.length,
    over_limit: report.overLimit.length,
    inversions: report.inversions.length,
    missing_logs: report.missingLogs.length,
    left_behind: report.leftBehind.length,
    executions: report.executions,
    claims_judged: report.claimsJudged,
    starts_judged: report.startsJudged,
    minutes: report.minutes,
    seed: report.seed,
  })
}

export function soakTable(report: SoakReport): string {
  const rows: [string, number | string][] = [
    ['runs', report.runs],
    ...Object.entries(report.ends).map(([type, count]): [string, number] => [`  ${type}`, count]),
    ['executions seen', report.executions],
    ['strikes', Object.values(report.strikes).reduce((sum, count) => sum + count, 0)],
    ...Object.entries(report.strikes).map(([name, count]): [string, number] => [
      `  ${name}`,
      count,
    ]),
    ['requests through the proxies', report.requests],
    ['cancellations asked for', report.cancellations],
    ['changes of limits and pauses', report.changes],
    ['starts judged by limits', report.startsJudged],
    ['choices judged by order', report.claimsJudged],
    ['LOST, or ended without a reason', report.lost.length],
    ['EXECUTED TWICE AT A TIME', report.doubled.length],
    ['OVER A LIMIT', report.overLimit.length],
    ['INVERSIONS OF PRIORITY', report.inversions.length],
    ['EXECUTIONS WITH MISSING LINES', report.missingLogs.length],
    ['LEFT BEHIND', report.leftBehind.length],
  ]
  return rows.map(([name, value]) => `  ${name.padEnd(36)}${String(value).padStart(8)}`).join('\n')
}

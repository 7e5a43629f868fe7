import { readFileSync } from 'node:fs'

/** A test that did not pass. */
export interface Failure {
  file: string
  name: string
  /** The first lines of what it said. */
  message: string
  /** A counterexample that a random search found: it stays one, also when the next search misses it. */
  isCounterexample: boolean
}

/** What vitest's JSON report says of one run. */
export interface SuiteReport {
  passed: number
  failures: Failure[]
  /** The seconds of each test file. */
  files: { name: string; seconds: number }[]
}

interface VitestReport {
  numPassedTests: number
  testResults: {
    name: string
    status: string
    message: string
    startTime: number
    endTime: number
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

const MESSAGE_LINES = 12

/** Null: there is no report that can be read, since vitest has not come to its end. */
export function readSuiteReport(file: string, root: string): SuiteReport | null {
  try {
    return suiteReport(JSON.parse(readFileSync(file, 'utf8')) as VitestReport, root)
  } catch {
    return null
  }
}

function suiteReport(report: VitestReport, root: string): SuiteReport {
  const relative = (name: string) => name.slice(root.length + 1)
  return {
    passed: report.numPassedTests,
    failures: report.testResults.flatMap((result) => {
      const failed = result.assertionResults.filter(({ status }) => status === 'failed')
      const file = relative(result.name)
      if (failed.length === 0 && result.status === 'failed') {
        return [failure(file, '(the file itself)', result.message)]
      }
      return failed.map((test) => failure(file, test.fullName, test.failureMessages.join('\n')))
    }),
    files: report.testResults.map(({ name, startTime, endTime }) => ({
      name: relative(name),
      seconds: Math.round((endTime - startTime) / 1000),
    })),
  }
}

function failure(file: string, name: string, message: string): Failure {
  return {
    file,
    name,
    message: message.split('\n').slice(0, MESSAGE_LINES).join('\n'),
    isCounterexample: message.includes('Property failed after'),
  }
}

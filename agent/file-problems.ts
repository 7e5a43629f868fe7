import type * as z from 'zod'

/** What is wrong with a file that people write, a line for each key, indented. */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): string {
  return issues.map((issue) => `  ${keyPath(issue.path)}: ${say(issue)}`).join('\n')
}

/** A place in a file: `deployments[0].name`. */
export function keyPath(keys: readonly PropertyKey[]): string {
  const path = keys
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
  return path === '' ? 'the file' : path
}

function say(issue: z.core.$ZodIssue): string {
  return issue.code === 'unrecognized_keys' ? `unknown: ${issue.keys.join(', ')}` : issue.message
}

import type { OutputUnit } from '@cfworker/json-schema'
import type { Json } from './wire/common.ts'

/** What is wrong with a value, and where in it. */
export type Issue = { path: (string | number)[]; message: string }

/** The validator lists each fault after the faults of the schemas around it; only the innermost say something. */
export function toIssues(value: Json, errors: readonly OutputUnit[]): Issue[] {
  const issues: Issue[] = []
  for (let index = 0; index < errors.length; index += 1) {
    const error = errors[index]
    if (!error) {
      break
    }
    const isChild = (next: OutputUnit | undefined): boolean =>
      next !== undefined &&
      (next.keyword === 'false' || next.keywordLocation.startsWith(`${error.keywordLocation}/`))
    if (error.keyword === 'anyOf' || error.keyword === 'oneOf') {
      const branches: OutputUnit[] = []
      for (let next = errors[index + 1]; next && isChild(next); next = errors[index + 1]) {
        branches.push(next)
        index += 1
      }
      issues.push(unionIssue(value, error, branches))
    } else if (error.keyword === 'false') {
      issues.push(forbiddenIssue(value, error, errors[index - 1]))
    } else if (!isChild(errors[index + 1])) {
      issues.push(plainIssue(value, error))
    }
  }
  return issues
}

function plainIssue(value: Json, error: OutputUnit): Issue {
  const path = toPath(value, error.instanceLocation)
  const found = show(at(value, path))
  const name = /"(.*)"/s.exec(error.error)?.[1] ?? ''
  switch (error.keyword) {
    case 'type':
      return { path, message: `${found} is not of type ${expectedTypes(error).join(', ')}` }
    case 'required':
      return { path: [...path, name], message: `'${name}' is a required property` }
    case 'enum':
      return { path, message: `${found} is not one of ${afterWords(error.error, 'any of ')}` }
    case 'const':
      return { path, message: `${afterWords(error.error, 'match ')} was expected, got ${found}` }
    // What stands for a pattern; formats themselves are not asserted.
    case 'format':
      return { path, message: `${found} does not match the pattern` }
    default:
      return { path, message: error.error }
  }
}

function forbiddenIssue(value: Json, error: OutputUnit, around: OutputUnit | undefined): Issue {
  const path = toPath(value, error.instanceLocation)
  const isProperty = around?.keyword.endsWith('Properties') ?? false
  const message = isProperty
    ? `Additional properties are not allowed ('${String(path.at(-1))}' was unexpected)`
    : 'no value is allowed here'
  return { path, message }
}

function unionIssue(value: Json, error: OutputUnit, branches: readonly OutputUnit[]): Issue {
  const path = toPath(value, error.instanceLocation)
  const found = show(at(value, path))
  const leaves = branches.filter((branch) => branch.keyword !== '$ref')
  const isByType =
    leaves.length > 0 &&
    leaves.every(
      (leaf) => leaf.keyword === 'type' && leaf.instanceLocation === error.instanceLocation,
    )
  if (isByType) {
    const types = [...new Set(leaves.flatMap(expectedTypes))]
    return { path, message: `${found} is not of type ${types.join(', ')}` }
  }
  // Of a union with null only the other member's fault is of interest.
  const other = leaves.filter((leaf) => !(leaf.keyword === 'type' && leaf.error.includes('"null"')))
  const only = other.length === 1 ? other[0] : undefined
  if (only && only.keyword !== 'false') {
    return plainIssue(value, only)
  }
  const count = /\((\d+) matches\)/.exec(error.error)?.[1] ?? '0'
  return count === '0'
    ? { path, message: `${found} is not valid under any of the given schemas` }
    : { path, message: `${found} is valid under each of ${count} schemas, expected one` }
}

function expectedTypes(error: OutputUnit): string[] {
  const names = /Expected (.*)\.$/.exec(error.error)?.[1] ?? ''
  return names.split(', ').map((name) => name.replaceAll('"', "'"))
}

function afterWords(text: string, words: string): string {
  return text.slice(text.indexOf(words) + words.length).replace(/\.$/, '')
}

/** Reads a JSON pointer as the validator writes it, with names as in an address; numbers where the value has a list. */
function toPath(value: Json, pointer: string): (string | number)[] {
  const path: (string | number)[] = []
  let current: Json | undefined = value
  for (const part of pointer.split('/').slice(1)) {
    const key: string = decodeURI(part).replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(Array.isArray(current) ? Number(key) : key)
    current = at(current, path.slice(-1))
  }
  return path
}

function at(value: Json | undefined, path: readonly (string | number)[]): Json | undefined {
  let current = value
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) {
      return undefined
    }
    current = (current as Record<string | number, Json>)[key]
  }
  return current
}

/** A value as Prefect's messages show it: strings in single quotes, cut when long. */
function show(value: Json | undefined): string {
  const text = typeof value === 'string' ? `'${value}'` : JSON.stringify(value ?? null)
  return text.length > 200 ? `${text.slice(0, 197)}...` : text
}

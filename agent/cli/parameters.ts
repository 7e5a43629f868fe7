import { readFileSync } from 'node:fs'
import { type Json, type JsonObject } from '../../core/wire/common.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError, usageError } from './cli-error.ts'

/** Gathers a repeated option; commander calls it for each value. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

/**
 * Reads `key=value` words. A value that is JSON is taken as such (`n=3`, `on=true`, `ids=[1,2]`), any other as a string;
 * `'name="3"'` is the string 3.
 */
export function parseAssignments(words: readonly string[], option: string): JsonObject {
  const entries = words.map((word): [string, Json] => {
    const at = word.indexOf('=')
    if (at < 1) {
      throw usageError(`${option} '${word}' is not of the form key=value.`)
    }
    return [word.slice(0, at), parseValue(word.slice(at + 1))]
  })
  return Object.fromEntries(entries)
}

function parseValue(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** Reads an option's JSON object: inline, or from a file as `@path`. */
export function parseJsonObject(text: string, option: string): JsonObject {
  const source = text.startsWith('@') ? readText(text.slice(1)) : text
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch (error) {
    throw usageError(`${option} is not valid JSON: ${(error as Error).message}.`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw usageError(`${option} must be a JSON object, such as '{"name": "Ada"}'.`)
  }
  return value as JsonObject
}

/** Reads a whole number of at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < least || text.trim() === '') {
      throw usageError(`'${text}' is not a whole number of ${least} or more.`)
    }
    return value
  }
}

/** The text of a file, or of standard input: `-`. */
export function readSource(path: string): string {
  return readText(path === '-' ? '/dev/stdin' : path)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(EXIT.usage, `${path} can't be read: ${(error as Error).message}`)
  }
}

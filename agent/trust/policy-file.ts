import { realpath } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import * as z from 'zod'
import { describeIssues } from '../file-problems.ts'
import { splitShellWords } from '../infra/shell-words.ts'
import { HostFileError, readHostFile } from './host-file.ts'
import { type Policy, PULL_STEPS } from './policy.ts'

/** A policy with the file that it stands in. */
export interface HostPolicy {
  path: string
  rules: Policy
}

/** Where a policy is looked for that nobody has named. */
export const POLICY_PATH = '/etc/headgate/policy.yaml'

const pattern = z.string().min(1)
const command = pattern.refine(isCommandLine, 'is not a command line: a quote is not closed, say')
const folder = z
  .string()
  .refine((path) => isAbsolute(path), 'must be an absolute path')
  .transform((path) => resolve(path))

const policyFile = z.strictObject({
  commands: z.array(command).optional(),
  images: z.array(pattern).optional(),
  working_directories: z.array(folder).optional(),
  environment: z.array(pattern).optional(),
  pull_steps: z.array(z.enum(PULL_STEPS)).optional(),
  repositories: z.array(pattern).optional(),
  resources: z
    .strictObject({
      max_runs: z.int().min(1).optional(),
      max_run_seconds: z.int().min(1).optional(),
    })
    .optional(),
})

/**
 * Reads a host's policy.
 * @throws HostFileError that names the line or the key, or says who else may write the file
 */
export async function readPolicy(path: string): Promise<HostPolicy> {
  const text = await readHostFile(path)
  // Only hosts with a policy pay for the library.
  const { parse } = await import('yaml')
  const rules = parsePolicy(text, path, parse)
  const folders = rules.working_directories
  return folders === undefined
    ? { path, rules }
    : { path, rules: { ...rules, working_directories: await Promise.all(folders.map(real)) } }
}

/** As the folders of runs are compared: without symbolic links. What is not there yet is taken as it is written. */
async function real(path: string): Promise<string> {
  return await realpath(path).catch(() => path)
}

function parsePolicy(text: string, path: string, parse: (text: string) => unknown): Policy {
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    throw new HostFileError(`${path} is not valid YAML: ${(error as Error).message}`)
  }
  const result = policyFile.safeParse(value)
  if (!result.success) {
    const known = Object.keys(policyFile.shape).join(', ')
    throw new HostFileError(
      `${path} is not a policy as it must be (it may have ${known}):\n${describeIssues(result.error.issues)}`,
    )
  }
  return result.data
}

function isCommandLine(text: string): boolean {
  try {
    return splitShellWords(text).length > 0
  } catch {
    return false
  }
}

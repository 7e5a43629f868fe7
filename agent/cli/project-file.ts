import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, YAMLParseError } from 'yaml'
import * as z from 'zod'
import { jsonObject, objectName, timestamp } from '../../core/wire/common.ts'
import { concurrencyKey } from '../../core/wire/deployment.ts'
import { missedRuns } from '../../core/wire/schedule.ts'
import { describeIssues, keyPath } from '../file-problems.ts'
import { usageError } from './cli-error.ts'

/** A project file has Prefect's `prefect.yaml` keys; null says the same as leaving a key out. */

const text = z.union([z.string(), z.number().transform(String)])
const steps = z.array(jsonObject)
/** Steps that would build or push an image: not run here, so a file that asks for them must not pass for deployed. */
const noSteps = z
  .array(z.unknown())
  .max(0, 'build and push steps are not run by headgate: build first, then deploy')
  .nullish()

const projectSchedule = z
  .strictObject({
    cron: z.string().nullish(),
    interval: z.number().positive().nullish(),
    rrule: z.string().nullish(),
    anchor_date: timestamp.nullish(),
    timezone: z.string().nullish(),
    day_or: z.boolean().nullish(),
    active: z.boolean().nullish(),
    slug: z.string().nullish(),
    replaces: z.string().nullish(),
    parameters: jsonObject.nullish(),
    max_scheduled_runs: z.int().positive().max(100).nullish(),
    missed_runs: missedRuns.nullish(),
  })
  .refine(
    ({ cron, interval, rrule }) =>
      [cron, interval, rrule].filter((kind) => kind != null).length === 1,
    'give exactly one of cron, interval and rrule',
  )
export type ProjectSchedule = z.infer<typeof projectSchedule>

const concurrencyLimit = z.union([
  z.int().positive(),
  z.strictObject({
    limit: z.int().positive(),
    collision_strategy: z.enum(['ENQUEUE', 'CANCEL_NEW']).optional(),
    grace_period_seconds: z.int().optional(),
  }),
])

const projectDeployment = z.strictObject({
  name: objectName,
  entrypoint: z.string(),
  flow_name: objectName.nullish(),
  version: text.nullish(),
  tags: z.array(text).nullish(),
  description: z.string().nullish(),
  schedule: projectSchedule.nullish(),
  schedules: z.array(projectSchedule).nullish(),
  parameters: jsonObject.nullish(),
  enforce_parameter_schema: z.boolean().nullish(),
  concurrency_limit: concurrencyLimit.nullish(),
  concurrency_key: concurrencyKey.nullish(),
  max_waiting_runs: z.int().min(1).nullish(),
  start_within_seconds: z.int().min(1).nullish(),
  /** The private key that signs it; from the file's folder. */
  sign_with: z.string().min(1).nullish(),
  paused: z.boolean().nullish(),
  work_pool: z
    .strictObject({
      name: objectName.nullish(),
      work_queue_name: objectName.nullish(),
      job_variables: jsonObject.nullish(),
    })
    .nullish(),
  pull: steps.nullish(),
  build: noSteps,
  push: noSteps,
})
export type ProjectDeployment = z.infer<typeof projectDeployment>

const projectFile = z.looseObject({
  name: z.string().nullish(),
  'prefect-version': z.unknown().optional(),
  pull: steps.nullish(),
  build: noSteps,
  push: noSteps,
  deployments: z.array(projectDeployment).min(1),
})

export interface Project {
  /** Absolute; entrypoints are relative to it. */
  folder: string
  deployments: ProjectDeployment[]
}

/** Reads a project file from disk. */
export function readProject(path: string): Project {
  const absolute = resolve(path)
  let source: string
  try {
    source = readFileSync(absolute, 'utf8')
  } catch (error) {
    throw usageError(
      `The project file ${path} can't be read: ${(error as Error).message}.`,
      'Name another with --file, or deploy without one: `headgate deploy flows.ts:hello --name hello --pool default`.',
    )
  }
  return { folder: dirname(absolute), deployments: parseProject(source, path) }
}

/**
 * Reads a project file's text; each deployment comes back with the pull steps that hold for it.
 * @throws CliError that names the line or the key
 */
export function parseProject(source: string, path: string): ProjectDeployment[] {
  const value = parseYaml(source, path)
  refusePlaceholders(value, path)
  const result = projectFile.safeParse(value)
  if (!result.success) {
    throw usageError(
      `${path} is not a project file as it must be:\n${describeIssues(result.error.issues)}`,
    )
  }
  const { pull, deployments } = result.data
  return deployments.map((deployment) =>
    deployment.pull == null && pull != null ? { ...deployment, pull } : deployment,
  )
}

function parseYaml(source: string, path: string): unknown {
  try {
    // Merge keys (`<<: *defaults`) are YAML 1.1, which Prefect reads.
    return parse(source, { merge: true })
  } catch (error) {
    if (error instanceof YAMLParseError) {
      throw usageError(`${path} is not valid YAML: ${error.message}`)
    }
    throw error
  }
}

/** Variables and blocks are filled in when a run starts; nothing else in double braces is filled in by anybody. */
function refusePlaceholders(value: unknown, path: string, keys: PropertyKey[] = []): void {
  if (typeof value === 'string') {
    const placeholder = /\{\{(?!\s*prefect\.)[^}]*\}\}/.exec(value)
    if (placeholder !== null) {
      throw usageError(
        `${path}: ${keyPath(keys)}: ${placeholder[0]} can't be filled in.`,
        'Write the value itself: headgate fills in no placeholders in project files.',
      )
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, entry] of Object.entries(value)) {
      refusePlaceholders(entry, path, [...keys, Array.isArray(value) ? Number(key) : key])
    }
  }
}

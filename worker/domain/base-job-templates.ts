import type { JsonObject } from '../../core/wire/common.ts'
import workerTypes from './data/worker-types.json' with { type: 'json' }

/** The types of infrastructure for which there is a base job template. */
export const WORK_POOL_TYPES: readonly string[] = ['process']

/**
 * The base job template that a new work pool of this type gets when none is given.
 * Undefined for the others: such a pool's template stays empty until somebody sets one, as Prefect's worker does with
 * the template of its own version.
 */
export function baseJobTemplateFor(type: string): JsonObject | undefined {
  return type === 'process' ? processTemplate() : undefined
}

/** What Prefect's view `aggregate-worker-metadata` holds: by package and type of worker, whom the type is for and its template. */
export function workerMetadata(): JsonObject {
  const { process } = workerTypes.prefect
  return {
    ...workerTypes,
    prefect: { process: { ...process, default_base_job_configuration: processTemplate() } },
  }
}

/** Prefect's, with the times that a run has under our agent to begin, and to end when it is stopped. Prefect's worker takes no notice. */
function processTemplate(): JsonObject {
  const template = workerTypes.prefect.process.default_base_job_configuration
  // A copy, so that no caller changes the template for the others.
  const { job_configuration: configuration, variables } = structuredCloneOf(template)
  return {
    job_configuration: {
      ...configuration,
      grace_seconds: '{{ grace_seconds }}',
      start_timeout_seconds: '{{ start_timeout_seconds }}',
    },
    variables: {
      ...variables,
      properties: {
        ...variables.properties,
        grace_seconds: GRACE,
        start_timeout_seconds: START_TIMEOUT,
      },
    },
  }
}

const GRACE: JsonObject = {
  title: 'Grace Period',
  description:
    'Seconds that a flow run has to end by itself when it is stopped (SIGTERM), before it is killed (SIGKILL).',
  default: 30,
  type: 'integer',
  minimum: 0,
}

const START_TIMEOUT: JsonObject = {
  title: 'Start Timeout',
  description:
    'Seconds from the moment when the agent takes a flow run until its code must have begun; then it is stopped and Crashed.',
  default: 900,
  type: 'integer',
  minimum: 1,
}

function structuredCloneOf<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

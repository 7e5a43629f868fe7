import type { DeploymentCreate, DeploymentUpdate } from '../../core/wire/deployment.ts'
import type { DeploymentScheduleCreate, Schedule } from '../../core/wire/schedule.ts'
import type { FlowSource } from './flow-source.ts'
import type { ProjectDeployment, ProjectSchedule } from './project-file.ts'

/**
 * What the API is told of a deployment, but its schedules. A key that the file leaves out is left out here: at the first
 * deploy the API's default holds, later what is there stays, whoever set it.
 * @param folder absolute; runs start in it where the file has no pull steps
 */
export function deploymentBody(
  entry: ProjectDeployment,
  source: FlowSource,
  folder: string,
): DeploymentUpdate {
  return {
    entrypoint: entry.entrypoint,
    parameter_openapi_schema: source.parameterSchema ?? null,
    // There is nothing to check against where the code could not be asked.
    ...(source.parameterSchema === undefined ? { enforce_parameter_schema: false } : {}),
    pull_steps: entry.pull ?? [
      { 'prefect.deployments.steps.set_working_directory': { directory: folder } },
    ],
    ...given({
      description: entry.description ?? source.description,
      version: entry.version,
      tags: entry.tags,
      parameters: entry.parameters,
      enforce_parameter_schema: entry.enforce_parameter_schema,
      paused: entry.paused,
      work_pool_name: entry.work_pool?.name,
      work_queue_name: entry.work_pool?.work_queue_name,
      job_variables: entry.work_pool?.job_variables,
      concurrency_key: entry.concurrency_key,
      max_waiting_runs: entry.max_waiting_runs,
      start_within_seconds: entry.start_within_seconds,
    }),
    ...concurrency(entry),
  }
}

/** The body of a first deploy. */
export function deploymentCreateBody(
  entry: ProjectDeployment,
  flowId: string,
  body: DeploymentUpdate,
): DeploymentCreate {
  const { schedules: _none, ...rest } = body
  return {
    ...rest,
    name: entry.name,
    flow_id: flowId,
    schedules: wantedSchedules(entry) ?? [],
  }
}

/** The schedules that a deployment is to have; undefined when its file does not speak of them. */
export function wantedSchedules(entry: ProjectDeployment): DeploymentScheduleCreate[] | undefined {
  const one = entry.schedule == null ? undefined : [entry.schedule]
  return (entry.schedules ?? one)?.map((schedule) => scheduleCreate(schedule))
}

function scheduleCreate(entry: ProjectSchedule): DeploymentScheduleCreate {
  return {
    schedule: timing(entry),
    ...given({
      active: entry.active,
      slug: entry.slug,
      replaces: entry.replaces,
      parameters: entry.parameters,
      max_scheduled_runs: entry.max_scheduled_runs,
      missed_runs: entry.missed_runs,
    }),
  }
}

function timing(entry: ProjectSchedule): Schedule {
  const zone = given({ timezone: entry.timezone })
  if (entry.cron != null) {
    return { cron: entry.cron, ...zone, ...given({ day_or: entry.day_or }) }
  }
  if (entry.rrule != null) {
    return { rrule: entry.rrule, ...zone }
  }
  return { interval: entry.interval ?? 0, ...given({ anchor_date: entry.anchor_date }), ...zone }
}

function concurrency({
  concurrency_limit: limit,
}: ProjectDeployment): Pick<DeploymentUpdate, 'concurrency_limit' | 'concurrency_options'> {
  if (limit === undefined) {
    return {}
  }
  if (limit === null || typeof limit === 'number') {
    return { concurrency_limit: limit }
  }
  const { limit: count, collision_strategy, grace_period_seconds } = limit
  return {
    concurrency_limit: count,
    concurrency_options: {
      collision_strategy: collision_strategy ?? 'ENQUEUE',
      ...given({ grace_period_seconds }),
    },
  }
}

/** Only the keys that have a value. */
function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(values).filter(([, value]) => value != null)
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}

import { formatTimestamp } from '#core/time.ts'
import type { DeploymentSchedule, Schedule } from '#core/wire/schedule.ts'
import { NOW } from './a-home-run.ts'

/** An active schedule of one deployment, as the API answers it. */
export function aSchedule(
  schedule: Schedule,
  given: Partial<DeploymentSchedule> = {},
): DeploymentSchedule {
  return {
    id: crypto.randomUUID(),
    created: formatTimestamp(NOW),
    updated: formatTimestamp(NOW),
    deployment_id: 'deployment',
    schedule,
    active: true,
    max_scheduled_runs: null,
    parameters: {},
    slug: null,
    missed_runs: null,
    ...given,
  }
}

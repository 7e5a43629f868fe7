import { validateJobVariables } from '#core/job-template.ts'
import type { Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { refuseIssues } from '#domain/refused.ts'
import { readHomeDeployment } from '#storage/deployments.ts'
import { readHomeWorkPoolByName } from '#storage/work-pools.ts'
import type { Workspace } from '#storage/workspace.ts'
import { hydrateTemplate } from './hydrate-template.ts'
import { readFlowRun } from './read-flow-run.ts'

/** A run's job variables, over its deployment's, are all that its pool's template asks for. */
export function checkJobVariables(
  template: JsonObject,
  layers: JsonObject[],
  verb: 'creating' | 'updating',
): void {
  refuseIssues(() => validateJobVariables(template, layers, { required: true }), {
    code: 'invalid',
    prefix: `Error ${verb} flow run: `,
    field: ['job_variables'],
  })
}

/** The same for a run that is there; where its pool or deployment is gone, its home decides. */
export async function checkNewJobVariables(
  workspace: Workspace,
  flowRunId: string,
  variables: JsonObject,
  now: Micros,
): Promise<void> {
  const run = await readFlowRun(workspace, flowRunId, now)
  if (run.state_type !== 'SCHEDULED' || run.deployment_id === null || run.work_pool_name === null) {
    return
  }
  const [config, pool] = await Promise.all([
    readHomeDeployment(workspace, run.deployment_id),
    readHomeWorkPoolByName(workspace, run.work_pool_name),
  ])
  if (config !== undefined && pool !== undefined) {
    const layers = [config.deployment.job_variables, variables]
    const template = await hydrateTemplate(workspace, pool.pool.base_job_template)
    checkJobVariables(template, layers, 'updating')
  }
}

import type { Micros } from '#core/time.ts'
import type {
  DeploymentSchedule,
  DeploymentScheduleCreate,
  DeploymentScheduleUpdate,
} from '#core/wire/schedule.ts'
import { audited } from '#domain/audit.ts'
import { DomainError } from '#domain/errors.ts'
import { checkSchedule, checkSchedules } from '#domain/schedule-checks.ts'
import {
  addSchedules,
  changedSchedules,
  updateSchedule,
  type ScheduleChanges,
} from '#domain/schedules-merge.ts'
import { records } from '#storage/audit.ts'
import { updateDeployment } from '#storage/deployments.ts'
import { changeSchedules, toScheduleRows } from '#storage/schedules.ts'
import type { Workspace } from '#storage/workspace.ts'
import { commitToDeployment, getDeployment } from './change-deployment.ts'
import { commitDecision } from './commit-decision.ts'

export async function createSchedules(
  workspace: Workspace,
  deploymentId: string,
  body: DeploymentScheduleCreate[],
  now: Micros,
): Promise<DeploymentSchedule[]> {
  const schedules = checkSchedules(body, [], now)
  return await change(workspace, deploymentId, now, (existing) => addSchedules(existing, schedules))
}

/** Null, as well as absent, leaves a field as it is. */
export async function updateDeploymentSchedule(
  workspace: Workspace,
  deploymentId: string,
  id: string,
  body: DeploymentScheduleUpdate,
  now: Micros,
): Promise<void> {
  const update = checkSchedule(body, [], now)
  await change(workspace, deploymentId, now, (existing) => {
    assertHas(existing, id)
    return updateSchedule(existing, id, update)
  })
}

export async function deleteDeploymentSchedule(
  workspace: Workspace,
  deploymentId: string,
  id: string,
  now: Micros,
): Promise<void> {
  await change(workspace, deploymentId, now, (existing) => {
    assertHas(existing, id)
    return { remove: [id], insert: [], update: [] }
  })
}

/** Decides about a deployment's schedules and commits that with a new version of the deployment. Returns the new ones. */
async function change(
  workspace: Workspace,
  deploymentId: string,
  now: Micros,
  decide: (existing: DeploymentSchedule[]) => ScheduleChanges,
): Promise<DeploymentSchedule[]> {
  let inserted: DeploymentSchedule[] = []
  await commitDecision(async () => {
    const stored = await getDeployment(workspace, deploymentId, now, 'Deployment not found.')
    const changes = decide(stored.deployment.schedules)
    inserted = toScheduleRows(deploymentId, changes.insert, now)
    const owner = { id: deploymentId, version_number: stored.version_number }
    const all = { ...changes, insert: inserted }
    const told = changedSchedules(stored.deployment.schedules, all)
    const { id, name } = stored.deployment
    return await commitToDeployment(workspace, { id: deploymentId, home_key: stored.home_key }, [
      updateDeployment(workspace, owner, {}, now),
      ...records(
        workspace,
        audited(
          'deployment',
          { id, name, schedules: told.before },
          { id, name, schedules: told.after },
        ),
      ),
      ...changeSchedules(workspace, deploymentId, all, now),
    ])
  })
  return inserted
}

function assertHas(existing: DeploymentSchedule[], id: string): void {
  if (!existing.some((schedule) => schedule.id === id)) {
    throw new DomainError('not_found', 'Schedule not found.')
  }
}

import { and, eq, sql } from 'drizzle-orm'
import { formatTimestamp, type Micros } from '#core/time.ts'
import type { DeploymentSchedule } from '#core/wire/schedule.ts'
import type { ScheduleChanges } from '#domain/schedules-merge.ts'
import type { Statement } from './commit.ts'
import { newId } from './new-id.ts'
import { deploymentSchedule } from './schema/config.ts'
import type { Workspace } from './workspace.ts'

/** The rows that new schedules become. */
export function toScheduleRows(
  deploymentId: string,
  inserts: ScheduleChanges['insert'],
  now: Micros,
): DeploymentSchedule[] {
  const created = formatTimestamp(now)
  return inserts.map((schedule) => ({
    id: newId(now),
    created,
    updated: created,
    deployment_id: deploymentId,
    schedule: schedule.schedule,
    active: schedule.active ?? true,
    max_scheduled_runs: schedule.max_scheduled_runs ?? null,
    parameters: schedule.parameters ?? {},
    slug: schedule.slug ?? null,
    missed_runs: schedule.missed_runs ?? null,
  }))
}

/** The statements of a change; the deployment's version is raised beside them. */
export function changeSchedules(
  workspace: Workspace,
  deploymentId: string,
  changes: Omit<ScheduleChanges, 'insert'> & { insert: DeploymentSchedule[] },
  now: Micros,
): Statement[] {
  const ofDeployment = and(
    eq(deploymentSchedule.workspace_id, workspace.id),
    eq(deploymentSchedule.deployment_id, deploymentId),
  )
  const removals =
    changes.remove.length === 0
      ? []
      : [
          workspace.store
            .delete(deploymentSchedule)
            .where(
              and(
                ofDeployment,
                sql`${deploymentSchedule.id} IN (SELECT value FROM json_each(${JSON.stringify(changes.remove)}))`,
              ),
            ),
        ]
  const updates = changes.update.map(({ id, fields }) =>
    workspace.store
      .update(deploymentSchedule)
      .set({ ...fields, updated: formatTimestamp(now) })
      .where(and(ofDeployment, eq(deploymentSchedule.id, id))),
  )
  const inserts = changes.insert.map((row) =>
    workspace.store.insert(deploymentSchedule).values({ ...row, workspace_id: workspace.id }),
  )
  return [...removals, ...updates, ...inserts]
}

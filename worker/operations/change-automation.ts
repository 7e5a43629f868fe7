import { validateJobVariables } from '#core/job-template.ts'
import type { Micros } from '#core/time.ts'
import type { Automation, AutomationCreate, AutomationUpdate } from '#core/wire/automation.ts'
import { refuseBadTemplates } from '#domain/action-templates.ts'
import { audited } from '#domain/audit.ts'
import { refuseLoops, relatedResources, withNewIds } from '#domain/automation.ts'
import { DomainError } from '#domain/errors.ts'
import { objectEvent } from '#domain/object-event.ts'
import { refuseIssues } from '#domain/refused.ts'
import { records } from '#storage/audit.ts'
import * as automations from '#storage/automations.ts'
import { commit, type CommitResult, type Statement } from '#storage/commit.ts'
import { readHomeDeployment } from '#storage/deployments.ts'
import { newId } from '#storage/new-id.ts'
import { readHomeWorkPoolByName } from '#storage/work-pools.ts'
import type { Workspace } from '#storage/workspace.ts'
import { commitDecision } from './commit-decision.ts'
import { changeAutomations } from './configure-hub.ts'
import { emitEvents } from './emit-events.ts'
import { hydrateTemplate } from './hydrate-template.ts'

export async function createAutomation(
  workspace: Workspace,
  body: AutomationCreate,
  now: Micros,
): Promise<Automation> {
  refuseLoops(body)
  refuseTemplates(body)
  await checkJobVariables(workspace, body.actions)
  const id = newId(now)
  const { owner_resource, ...fields } = body
  const made = {
    ...fields,
    trigger: withNewIds(body.trigger, () => crypto.randomUUID()),
    owner_resource: owner_resource ?? null,
  }
  await commitTo(workspace, [id], () => [
    automations.insertAutomation(
      workspace,
      id,
      { ...made, related_resources: relatedResources(body.actions) },
      now,
    ),
    ...records(workspace, audited('automation', null, { id, ...made })),
  ])
  const { automation } = await getAutomation(workspace, id)
  await tell(workspace, 'created', [automation], now)
  return automation
}

/** Replaces what the request names; the trigger is new in any case and begins from nothing. */
export async function updateAutomation(
  workspace: Workspace,
  id: string,
  body: AutomationUpdate,
  now: Micros,
): Promise<void> {
  refuseLoops({ ...body, enabled: body.enabled ?? true })
  refuseTemplates(body)
  await checkJobVariables(workspace, body.actions)
  await change(
    workspace,
    id,
    () => ({
      ...given(body),
      trigger: withNewIds(body.trigger, () => crypto.randomUUID()),
      related_resources: relatedResources(body.actions),
    }),
    now,
  )
}

/** Enables or disables; undefined leaves it as it is. */
export async function enableAutomation(
  workspace: Workspace,
  id: string,
  enabled: boolean | undefined,
  now: Micros,
): Promise<void> {
  await change(
    workspace,
    id,
    (automation) => {
      refuseLoops({ ...automation, enabled: enabled ?? true })
      return enabled === undefined ? {} : { enabled }
    },
    now,
  )
}

export async function deleteAutomation(
  workspace: Workspace,
  id: string,
  now: Micros,
): Promise<void> {
  const { automation } = await getAutomation(workspace, id)
  await deleteAll(workspace, [automation], now)
}

/** Those that a resource owns and that were there before the request. */
export async function deleteAutomationsOwnedBy(
  workspace: Workspace,
  resourceId: string,
  now: Micros,
): Promise<void> {
  const owned = await automations.listAutomationsOwnedBy(workspace, resourceId, now)
  if (owned.length > 0) {
    await deleteAll(workspace, owned, now)
  }
}

export async function getAutomation(
  workspace: Workspace,
  id: string,
): Promise<automations.StoredAutomation> {
  const found = await automations.findAutomation(workspace, id)
  if (found === undefined) {
    throw new DomainError('not_found', 'Automation not found', { asException: true })
  }
  return found
}

async function change(
  workspace: Workspace,
  id: string,
  decide: (automation: Automation) => Partial<automations.AutomationFields>,
  now: Micros,
): Promise<void> {
  await commitDecision(async () => {
    const { automation, version_number } = await getAutomation(workspace, id)
    const fields = decide(automation)
    const { related_resources: _follows, ...told } = fields
    return await commitTo(workspace, [id], () => [
      automations.updateAutomation(workspace, id, version_number, fields, now),
      ...records(workspace, audited('automation', automation, { ...automation, ...told })),
    ])
  })
  const changed = await automations.findAutomation(workspace, id)
  if (changed !== undefined) {
    await tell(workspace, 'updated', [changed.automation], now)
  }
}

async function deleteAll(
  workspace: Workspace,
  all: readonly Automation[],
  now: Micros,
): Promise<void> {
  const ids = all.map((automation) => automation.id)
  await commitTo(workspace, ids, () =>
    all.flatMap((automation) => [
      automations.removeAutomation(workspace, automation.id),
      ...records(workspace, audited('automation', automation, null)),
    ]),
  )
  await tell(workspace, 'deleted', all, now)
}

/** Commits a change of automations and tells the hub, which evaluates them. */
async function commitTo(
  workspace: Workspace,
  ids: readonly string[],
  statements: () => Statement[],
): Promise<CommitResult> {
  let result: CommitResult = 'stale'
  await changeAutomations(workspace, ids, async () => {
    result = await commit(workspace, statements())
  })
  return result
}

async function tell(
  workspace: Workspace,
  verb: 'created' | 'updated' | 'deleted',
  all: readonly Automation[],
  now: Micros,
): Promise<void> {
  const events = all.map((automation) =>
    objectEvent(
      {
        kind: 'automation',
        verb,
        id: automation.id,
        name: automation.name,
        payload: toJson(automation),
      },
      newId(now),
      now,
    ),
  )
  await emitEvents(workspace, events, now)
}

function refuseTemplates(body: AutomationUpdate): void {
  for (const field of ['actions', 'actions_on_trigger', 'actions_on_resolve'] as const) {
    refuseBadTemplates(body[field] ?? [], field)
  }
}

function toJson(automation: Automation): Record<string, never> {
  return JSON.parse(JSON.stringify(automation)) as Record<string, never>
}

function given(body: AutomationUpdate): Partial<automations.AutomationFields> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

/** The job variables of a selected deployment's run must fit its pool, as those of any run. */
async function checkJobVariables(
  workspace: Workspace,
  actions: Automation['actions'],
): Promise<void> {
  for (const action of actions) {
    if (action.type !== 'run-deployment' || action.deployment_id === null) {
      continue
    }
    const { job_variables } = action
    if (job_variables === null || Object.keys(job_variables).length === 0) {
      continue
    }
    const config = await readHomeDeployment(workspace, action.deployment_id)
    if (config === undefined) {
      throw new DomainError('not_found', 'Deployment not found.')
    }
    const { deployment } = config
    const pool =
      deployment.work_pool_name === null
        ? undefined
        : await readHomeWorkPoolByName(workspace, deployment.work_pool_name)
    if (pool !== undefined) {
      const template = await hydrateTemplate(workspace, pool.pool.base_job_template)
      refuseIssues(
        () =>
          validateJobVariables(template, [deployment.job_variables, job_variables], {
            required: true,
          }),
        { code: 'invalid', prefix: 'Error creating automation: ', field: ['actions'] },
      )
    }
  }
}

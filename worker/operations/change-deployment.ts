import type { HomeKey } from '#core/flow-run-id.ts'
import type { Micros } from '#core/time.ts'
import type { Deployment, DeploymentCreate, DeploymentUpdate } from '#core/wire/deployment.ts'
import type { Flow } from '#core/wire/flow.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { audited } from '#domain/audit.ts'
import { checkKeyTemplate } from '#domain/concurrency-key.ts'
import { checkJobVariables, checkParameters, type CheckedAs } from '#domain/deployment-checks.ts'
import {
  deploymentLabels,
  givenDeploymentFields,
  NEW_DEPLOYMENT,
  parameterRulesAfter,
} from '#domain/deployment-fields.ts'
import { DomainError } from '#domain/errors.ts'
import { checkSchedules } from '#domain/schedule-checks.ts'
import { changedSchedules, mergeSchedules, replaceSchedules } from '#domain/schedules-merge.ts'
import { records } from '#storage/audit.ts'
import { findBlockDocument } from '#storage/block-documents.ts'
import { commit, type CommitResult, type Statement } from '#storage/commit.ts'
import * as deployments from '#storage/deployments.ts'
import { findFlow } from '#storage/flows.ts'
import { newId } from '#storage/new-id.ts'
import { changeSchedules, toScheduleRows } from '#storage/schedules.ts'
import type { WorkPoolKey } from '#storage/work-pools.ts'
import type { Workspace } from '#storage/workspace.ts'
import { commitDecision } from './commit-decision.ts'
import { changeDeployment, changeWorkPool } from './configure-home.ts'
import { hydrateRequest } from './hydrate-parameters.ts'
import { hydrateTemplate } from './hydrate-template.ts'
import { placeDeployment, type Place } from './place-deployment.ts'
import { tellDeployment, tellWorkQueue } from './tell-changes.ts'

const CREATING: CheckedAs = { code: 'invalid', verb: 'creating' }
const UPDATING: CheckedAs = { code: 'conflict', verb: 'updating' }

/**
 * Makes a deployment, or changes the flow's deployment of that name: fields that the request leaves out stay, schedules
 * are all replaced.
 */
export async function saveDeployment(
  workspace: Workspace,
  body: DeploymentCreate,
  now: Micros,
): Promise<{ deployment: Deployment; created: boolean }> {
  checkKeyTemplate(body.concurrency_key)
  const schedules = checkSchedules(body.schedules ?? [], ['schedules'], now)
  const names = {
    // Null is no wish in an upsert: the deployment stays where it is.
    work_pool_name: body.work_pool_name ?? undefined,
    work_queue_name: body.work_queue_name,
  }
  const hydrated = body.parameters
    ? {
        ...body,
        parameters: await hydrateRequest(
          workspace,
          body.parameters,
          'Error hydrating deployment parameters: ',
        ),
      }
    : body
  let created = false
  const result = await commitDecision(async () => {
    const flow = await getFlow(workspace, body.flow_id)
    const existing = await deployments.findDeploymentOfFlow(workspace, flow.id, body.name, now)
    const id = existing?.deployment.id ?? newId(now)
    const place = await placeDeployment(workspace, id, existing, names, now)
    const fields = givenDeploymentFields(hydrated)
    await checkVariables(workspace, place.template, body.job_variables, CREATING)
    await checkBlocks(workspace, body, CREATING)
    // Made with the schema null it may have any parameters; its runs may not, where the schema is enforced.
    const judged =
      fields.parameter_openapi_schema === null
        ? { ...fields, parameter_openapi_schema: {} }
        : fields
    checkParameters(parameterRulesAfter(existing?.deployment ?? NEW_DEPLOYMENT, judged), CREATING)
    const changes = replaceSchedules(existing?.deployment.schedules ?? [], schedules)
    const labels = deploymentLabels(flow, body.labels)
    const { home_key, work_queue_id } = place
    const inserted = toScheduleRows(id, changes.insert, now)
    const named = { id, name: body.name, flow_id: flow.id }
    const statement =
      existing === undefined
        ? deployments.insertDeployment(
            workspace,
            {
              ...NEW_DEPLOYMENT,
              ...fields,
              id,
              flow_id: flow.id,
              name: body.name,
              labels,
              home_key,
              work_queue_id,
              created_by: null,
              updated_by: null,
            },
            now,
          )
        : deployments.updateDeployment(
            workspace,
            { id, version_number: existing.version_number },
            { ...fields, labels, home_key, work_queue_id },
            now,
          )
    const saved = await commitToDeployment(
      workspace,
      { id, home_key: existing?.home_key ?? home_key, moves_to: home_key },
      [
        ...place.statements,
        statement,
        ...recordsOf(
          workspace,
          existing ?? null,
          {
            ...(existing === undefined ? NEW_DEPLOYMENT : {}),
            ...named,
            ...fields,
            labels,
            work_queue_id,
          },
          { ...changes, insert: inserted },
        ),
        ...changeSchedules(workspace, id, { ...changes, insert: inserted }, now),
      ],
      place.changedPool,
    )
    created = existing === undefined
    if (saved === 'committed') {
      tellQueueOf(workspace, place, now)
      tellDeployment(
        workspace,
        created ? 'created' : 'updated',
        existing?.deployment ?? null,
        id,
        now,
      )
    }
    // Made by somebody else in between, or its new queue was: with the next look both are there.
    return saved === 'taken' ? 'stale' : saved
  })
  const saved = await deployments.findDeploymentOfFlow(workspace, body.flow_id, body.name, now)
  if (result !== 'committed' || saved === undefined) {
    throw new DomainError('unavailable', 'The deployment was deleted while it was being made.')
  }
  return { deployment: saved.deployment, created }
}

/** What the audit log tells of a deployment that was made or changed. */
function recordsOf(
  workspace: Workspace,
  stored: deployments.StoredDeployment | null,
  fields: object,
  schedules: Parameters<typeof changedSchedules>[1] = { remove: [], update: [], insert: [] },
): Statement[] {
  const before = stored && told(stored)
  const changed = changedSchedules(stored?.deployment.schedules ?? [], schedules)
  return records(
    workspace,
    audited('deployment', before && { ...before, schedules: changed.before }, {
      ...before,
      ...fields,
      schedules: changed.after,
    }),
  )
}

/** On the wire its limit stands elsewhere. */
function told({ deployment, concurrency_limit }: deployments.StoredDeployment) {
  return { ...deployment, concurrency_limit }
}

/** Defaults that name blocks are judged by what is in the blocks, which are read only for job variables. */
async function checkVariables(
  workspace: Workspace,
  template: JsonObject,
  variables: JsonObject | null | undefined,
  as: CheckedAs,
): Promise<void> {
  if (Object.keys(variables ?? {}).length > 0) {
    checkJobVariables(await hydrateTemplate(workspace, template), variables, as)
  }
}

/** The blocks that Prefect's client once named must be there if they are named. */
async function checkBlocks(
  workspace: Workspace,
  body: DeploymentCreate | DeploymentUpdate,
  { verb }: CheckedAs,
): Promise<void> {
  for (const kind of ['infrastructure', 'storage'] as const) {
    const id = body[`${kind}_document_id`]
    // One after the other: hardly any deployment names one.
    // oxlint-disable-next-line no-await-in-loop
    if (id && (await findBlockDocument(workspace, { id }, false)) === undefined) {
      throw new DomainError(
        'conflict',
        `Error ${verb} deployment. Could not find ${kind} block with id: ${id}. This usually occurs when applying a deployment specification that was built against a different Prefect database / workspace.`,
      )
    }
  }
}

/** A flow of another workspace is as none; Prefect's answer to both is that of a broken foreign key. */
async function getFlow(workspace: Workspace, id: string): Promise<Flow> {
  const flow = await findFlow(workspace, id)
  if (flow === undefined) {
    throw new DomainError(
      'conflict',
      `Data integrity conflict: there is no flow '${id}' in this workspace.`,
    )
  }
  return flow
}

/** Changes what the request names; the home replaces the future automatic runs, whatever has changed. */
export async function updateDeployment(
  workspace: Workspace,
  id: string,
  body: DeploymentUpdate,
  now: Micros,
): Promise<void> {
  checkKeyTemplate(body.concurrency_key)
  const schedules =
    body.schedules === null || body.schedules === undefined
      ? undefined
      : checkSchedules(body.schedules, ['schedules'], now)
  await commitDecision(async () => {
    const existing = await getDeployment(workspace, id, now)
    const changes = mergeSchedules(existing.deployment.schedules, schedules)
    const place = await placeDeployment(workspace, id, existing, body, now)
    const fields = givenDeploymentFields(body)
    await checkVariables(workspace, place.template, body.job_variables, UPDATING)
    await checkBlocks(workspace, body, UPDATING)
    checkParameters(parameterRulesAfter(existing.deployment, fields), UPDATING)
    const { home_key, work_queue_id } = place
    const inserted = toScheduleRows(id, changes.insert, now)
    const saved = await commitToDeployment(
      workspace,
      { id, home_key: existing.home_key, moves_to: home_key },
      [
        ...place.statements,
        deployments.updateDeployment(
          workspace,
          { id, version_number: existing.version_number },
          { ...fields, home_key, work_queue_id },
          now,
        ),
        ...recordsOf(
          workspace,
          existing,
          { ...fields, work_queue_id },
          { ...changes, insert: inserted },
        ),
        ...changeSchedules(workspace, id, { ...changes, insert: inserted }, now),
      ],
      place.changedPool,
    )
    if (saved === 'committed') {
      tellQueueOf(workspace, place, now)
      tellDeployment(workspace, 'updated', existing.deployment, id, now)
    }
    return saved === 'taken' ? 'stale' : saved
  })
}

/** A deployment that names a queue that is not there has it made. */
function tellQueueOf(workspace: Workspace, place: Place, now: Micros): void {
  if (place.changedPool !== undefined && place.work_queue_id !== null) {
    tellWorkQueue(workspace, 'created', null, place.work_queue_id, now)
  }
}

export async function setDeploymentPaused(
  workspace: Workspace,
  id: string,
  paused: boolean,
  now: Micros,
): Promise<void> {
  await commitDecision(async () => {
    const stored = await getDeployment(workspace, id, now)
    const { home_key, version_number, deployment } = stored
    const saved = await commitToDeployment(workspace, { id, home_key }, [
      deployments.updateDeployment(workspace, { id, version_number }, { paused }, now),
      ...recordsOf(workspace, stored, { paused }),
    ])
    if (saved === 'committed') {
      tellDeployment(workspace, 'updated', deployment, id, now)
    }
    return saved
  })
}

/** Its home removes the runs that have not begun. */
export async function deleteDeployment(
  workspace: Workspace,
  id: string,
  now: Micros,
): Promise<void> {
  const stored = await getDeployment(workspace, id, now)
  const { home_key, deployment } = stored
  await commitToDeployment(workspace, { id, home_key }, [
    deployments.removeDeployment(workspace, id),
    ...records(workspace, audited('deployment', told(stored), null)),
  ])
  tellDeployment(workspace, 'deleted', deployment, id, now)
}

/** @param message Prefect's sentences differ in a full stop */
export async function getDeployment(
  workspace: Workspace,
  id: string,
  now: Micros,
  message = 'Deployment not found',
): Promise<deployments.StoredDeployment> {
  const found = await deployments.findDeployment(workspace, id, now)
  if (found === undefined) {
    throw new DomainError('not_found', message)
  }
  return found
}

/** Commits a change of a deployment, and of the pool that gets a queue by it, and tells their homes. */
export async function commitToDeployment(
  workspace: Workspace,
  deployment: { id: string; home_key: HomeKey; moves_to?: HomeKey },
  statements: Statement[],
  changedPool?: WorkPoolKey,
): Promise<CommitResult> {
  let result: CommitResult = 'stale'
  const run = async (): Promise<void> => {
    result = await commit(workspace, statements)
  }
  // The pool within: its home knows the new queue before a deployment names it.
  await changeDeployment(
    workspace,
    deployment,
    changedPool === undefined ? run : () => changeWorkPool(workspace, changedPool, run),
  )
  return result
}

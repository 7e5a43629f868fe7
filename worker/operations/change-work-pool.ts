import { validateTemplate } from '#core/job-template.ts'
import type { Micros } from '#core/time.ts'
import type { JsonObject } from '#core/wire/common.ts'
import { MAX_PAGE } from '#core/wire/query.ts'
import {
  NO_STORAGE,
  type WorkPool,
  type WorkPoolCreate,
  type WorkPoolUpdate,
} from '#core/wire/work-pool.ts'
import { audited } from '#domain/audit.ts'
import { baseJobTemplateFor } from '#domain/base-job-templates.ts'
import { DomainError } from '#domain/errors.ts'
import { refuseIssues } from '#domain/refused.ts'
import { records } from '#storage/audit.ts'
import { commit, type CommitResult, type Statement } from '#storage/commit.ts'
import { insertHome } from '#storage/homes.ts'
import { newId } from '#storage/new-id.ts'
import * as pools from '#storage/work-pools.ts'
import {
  detachDeployments,
  insertWorkQueue,
  listDeploymentsOfQueues,
  listWorkQueues,
} from '#storage/work-queues.ts'
import type { Workspace } from '#storage/workspace.ts'
import { commitDecision } from './commit-decision.ts'
import { changeDeployment, changeWorkPool } from './configure-home.ts'
import { hydrateTemplate } from './hydrate-template.ts'
import { tellWorkPool } from './tell-changes.ts'

/** Prefect's type of a pool that names none. */
const DEFAULT_TYPE = 'prefect-agent'

const NAME_TAKEN = 'A work pool with this name already exists.'

/** Makes a pool with its home and its queue `default`. */
export async function createWorkPool(
  workspace: Workspace,
  body: WorkPoolCreate,
  now: Micros,
): Promise<WorkPool> {
  if (isReserved(body.name)) {
    throw new DomainError(
      'forbidden',
      "Work pools starting with 'Prefect' are reserved for internal use.",
    )
  }
  const type = body.type ?? DEFAULT_TYPE
  const template = body.base_job_template ?? baseJobTemplateFor(type) ?? {}
  await checkTemplate(workspace, template)
  // Looked up before a home is minted: homes are never deleted.
  if ((await pools.findWorkPoolKey(workspace, body.name)) !== undefined) {
    throw new DomainError('conflict', NAME_TAKEN)
  }
  const id = newId(now)
  const queueId = newId(now)
  const pool: pools.NewWorkPool = {
    id,
    name: body.name,
    description: body.description ?? null,
    type,
    base_job_template: template,
    is_paused: body.is_paused ?? false,
    concurrency_limit: body.concurrency_limit ?? null,
    default_queue_id: queueId,
    storage_configuration: body.storage_configuration ?? NO_STORAGE,
  }
  const homeKey = await insertHome(workspace, id, now)
  const result = await commitToPool(workspace, { id, home_key: homeKey }, [
    pools.insertWorkPool(workspace, homeKey, pool, now),
    ...records(workspace, audited('work_pool', null, pool)),
    insertWorkQueue(
      workspace,
      id,
      {
        id: queueId,
        name: 'default',
        description: "The work pool's default queue.",
        is_paused: false,
        concurrency_limit: null,
        priority: 1,
      },
      now,
    ),
  ])
  if (result !== 'committed') {
    throw new DomainError('conflict', NAME_TAKEN)
  }
  tellWorkPool(workspace, 'created', null, body.name, now)
  return (await getWorkPool(workspace, body.name, now)).pool
}

/** Changes what the request names; `concurrency_limit: null` takes the limit away. */
export async function updateWorkPool(
  workspace: Workspace,
  name: string,
  body: WorkPoolUpdate,
  now: Micros,
): Promise<void> {
  if (isReserved(name) && Object.keys(body).some((field) => !MAY_CHANGE_RESERVED.has(field))) {
    throw new DomainError(
      'forbidden',
      "Work pools starting with 'Prefect' are reserved for internal use and can only be updated to set concurrency limits or pause.",
    )
  }
  if (body.base_job_template !== undefined && body.base_job_template !== null) {
    await checkTemplate(workspace, body.base_job_template)
  }
  const fields = toFields(body)
  const before = await getWorkPool(workspace, name, now)
  await commitDecision(async () => {
    const { pool, home_key, version_number } = await getWorkPool(workspace, name, now)
    const { id } = pool
    return await commitToPool(workspace, { id, home_key }, [
      pools.updateWorkPool(workspace, { id, version_number }, fields, now),
      ...records(workspace, audited('work_pool', pool, { ...pool, ...fields })),
    ])
  })
  tellWorkPool(workspace, 'updated', before.pool, name, now)
}

/** Queues and workers go with the pool; deployments lose their queue and stay at its home, which outlives it. */
export async function deleteWorkPool(
  workspace: Workspace,
  name: string,
  now: Micros,
): Promise<void> {
  if (isReserved(name)) {
    throw new DomainError(
      'forbidden',
      "Work pools starting with 'Prefect' are reserved for internal use and can not be deleted.",
    )
  }
  const { pool: before } = await getWorkPool(workspace, name, now)
  const pool = await getWorkPoolKey(workspace, name)
  const ofPool = { work_pool_id: pool.id }
  const queues = await listWorkQueues(workspace, ofPool, { limit: MAX_PAGE, offset: 0 }, now)
  const scope = { workPoolId: pool.id }
  const deployments = await listDeploymentsOfQueues(workspace, scope)
  await commitToPool(workspace, pool, [
    detachDeployments(workspace, scope, now),
    pools.removeWorkPool(workspace, pool.id),
    ...records(workspace, audited('work_pool', before, null)),
  ])
  await tellDetached(workspace, deployments)
  tellWorkPool(workspace, 'deleted', before, name, now, queues)
}

export async function getWorkPool(
  workspace: Workspace,
  name: string,
  now: Micros,
): Promise<pools.StoredWorkPool> {
  const found = await pools.findWorkPool(workspace, name, now)
  if (found === undefined) {
    throw noSuchPool(name)
  }
  return found
}

export async function getWorkPoolKey(
  workspace: Workspace,
  name: string,
): Promise<pools.WorkPoolKey> {
  const found = await pools.findWorkPoolKey(workspace, name)
  if (found === undefined) {
    throw noSuchPool(name)
  }
  return found
}

function noSuchPool(name: string): DomainError {
  return new DomainError('not_found', `Work pool "${name}" not found.`)
}

/** Commits a change of a pool or its queues and tells its home. */
export async function commitToPool(
  workspace: Workspace,
  pool: { id: string; home_key: string },
  statements: Statement[],
): Promise<CommitResult> {
  let result: CommitResult = 'stale'
  await changeWorkPool(workspace, pool, async () => {
    result = await commit(workspace, statements)
  })
  return result
}

/** Tells the homes of deployments that have lost their queue. */
export async function tellDetached(
  workspace: Workspace,
  deployments: { id: string; home_key: string }[],
): Promise<void> {
  await Promise.all(
    deployments.map((deployment) => changeDeployment(workspace, deployment, async () => {})),
  )
}

const MAY_CHANGE_RESERVED: ReadonlySet<string> = new Set(['is_paused', 'concurrency_limit'])

function isReserved(name: string): boolean {
  return name.toLowerCase().startsWith('prefect')
}

async function checkTemplate(workspace: Workspace, template: JsonObject): Promise<void> {
  const hydrated = await hydrateTemplate(workspace, template)
  refuseIssues(() => validateTemplate(hydrated), {
    code: 'invalid',
    prefix: '',
    field: ['base_job_template'],
  })
}

function toFields(body: WorkPoolUpdate): pools.WorkPoolFields {
  const fields: pools.WorkPoolFields = {}
  if (body.description !== undefined) {
    fields.description = body.description
  }
  if (typeof body.is_paused === 'boolean') {
    fields.is_paused = body.is_paused
  }
  if (body.base_job_template !== undefined && body.base_job_template !== null) {
    fields.base_job_template = body.base_job_template
  }
  if (body.concurrency_limit !== undefined) {
    fields.concurrency_limit = body.concurrency_limit
  }
  if (body.storage_configuration !== undefined && body.storage_configuration !== null) {
    fields.storage_configuration = body.storage_configuration
  }
  return fields
}

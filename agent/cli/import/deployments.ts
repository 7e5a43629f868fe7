import type { Deployment, DeploymentCreate } from '../../../core/wire/deployment.ts'
import type { Flow } from '../../../core/wire/flow.ts'
import { everyPage } from '../find.ts'
import { agrees, orNone, type Copied, type ImportRun } from './import-run.ts'

/** Flows, and their deployments with schedules and limits. */
export async function importDeployments(run: ImportRun): Promise<void> {
  const { source } = run
  const names = new Map<string, string>()
  for (const flow of await everyPage((page) => source.filterFlows(page))) {
    names.set(flow.id, flow.name)
    await run.copy('flow', flow, () => copyFlow(run, flow))
  }
  for (const deployment of await everyPage((page) => source.filterDeployments(page))) {
    const flow = names.get(deployment.flow_id) ?? '?'
    const name = `${flow}/${deployment.name}`
    await run.copy('deployment', { id: deployment.id, name }, () =>
      copyDeployment(run, flow, deployment),
    )
  }
}

async function copyFlow({ target, dryRun }: ImportRun, flow: Flow): Promise<Copied> {
  const existing = await orNone(target.readFlowByName(flow.name))
  if (existing !== undefined && agrees(existing, { tags: flow.tags })) {
    return { outcome: 'unchanged', id: existing.id }
  }
  if (dryRun) {
    return { outcome: existing === undefined ? 'created' : 'updated' }
  }
  if (existing === undefined) {
    const { name, tags, labels } = flow
    return {
      outcome: 'created',
      id: (await target.createFlow({ name, tags, labels: labels ?? {} })).id,
    }
  }
  await target.updateFlow(existing.id, { tags: flow.tags })
  return { outcome: 'updated', id: existing.id }
}

async function copyDeployment(
  run: ImportRun,
  flow: string,
  deployment: Deployment,
): Promise<Copied> {
  const { target } = run
  const flowId = run.idOf(deployment.flow_id)
  if (flowId === undefined) {
    throw new Error(`its flow '${flow}' was not copied`)
  }
  const existing = await orNone(target.readDeploymentByName(flow, deployment.name))
  const wanted = { ...toBody(run, deployment), flow_id: flowId }
  // Once it is here, whether it is paused is decided here.
  const body = run.paused ? { ...wanted, paused: existing?.paused ?? true } : wanted
  if (
    existing !== undefined &&
    agrees(comparable(existing), comparable({ ...existing, ...body }))
  ) {
    return { outcome: 'unchanged', id: existing.id }
  }
  if (run.dryRun) {
    return { outcome: existing === undefined ? 'created' : 'updated' }
  }
  const made = await target.createDeployment(body)
  return { outcome: existing === undefined ? 'created' : 'updated', id: made.id }
}

function toBody(run: ImportRun, deployment: Deployment): DeploymentCreate {
  const { schedules, ...plain } = deployment
  return {
    name: plain.name,
    flow_id: plain.flow_id,
    paused: plain.paused,
    schedules: schedules.map((schedule) => ({
      schedule: schedule.schedule,
      active: schedule.active,
      max_scheduled_runs: schedule.max_scheduled_runs,
      parameters: schedule.parameters,
      slug: schedule.slug,
    })),
    concurrency_limit: plain.global_concurrency_limit?.limit ?? null,
    concurrency_options: plain.concurrency_options,
    enforce_parameter_schema: plain.enforce_parameter_schema,
    parameter_openapi_schema: plain.parameter_openapi_schema ?? {},
    parameters: plain.parameters,
    job_variables: run.withIds(plain.job_variables),
    tags: plain.tags,
    labels: plain.labels ?? {},
    pull_steps: plain.pull_steps,
    work_queue_name: plain.work_queue_name,
    work_pool_name: plain.work_pool_name,
    description: plain.description,
    path: plain.path,
    version: plain.version,
    entrypoint: plain.entrypoint,
  }
}

/** Of a deployment, or of what is asked for one, what the two have in common. */
function comparable(
  deployment: Partial<Deployment> | (Partial<Deployment> & Record<string, unknown>) | object,
): object {
  const { schedules, concurrency_limit, global_concurrency_limit, ...plain } =
    deployment as Partial<Omit<Deployment, 'concurrency_limit'>> & {
      concurrency_limit?: number | null
    }
  return {
    ...pick(plain, COMPARED),
    limit: concurrency_limit ?? global_concurrency_limit?.limit ?? null,
    schedules: (schedules ?? [])
      .map(({ schedule, active, max_scheduled_runs, parameters, slug }) => ({
        schedule,
        active,
        max_scheduled_runs: max_scheduled_runs ?? null,
        parameters: parameters ?? {},
        slug: slug ?? null,
      }))
      .map((schedule) => JSON.stringify(schedule))
      .toSorted(),
  }
}

const COMPARED = [
  'paused',
  'concurrency_options',
  'enforce_parameter_schema',
  'parameter_openapi_schema',
  'parameters',
  'job_variables',
  'tags',
  'pull_steps',
  'work_queue_name',
  'work_pool_name',
  'description',
  'path',
  'version',
  'entrypoint',
]

function pick(object: object, keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)))
}

import { ApiError, type Client } from '../../core/client.ts'
import { isUuid } from '../../core/uuid.ts'
import type { Deployment } from '../../core/wire/deployment.ts'
import type { FlowRun } from '../../core/wire/flow-run.ts'
import { EXIT } from '../exit-codes.ts'
import { CliError } from './cli-error.ts'

/** A deployment under the name that people use for it, `flow/deployment`. */
export interface NamedDeployment {
  deployment: Deployment
  fullName: string
}

/** Finds a deployment by `flow/deployment`, by its own name where only one has it, or by its id. */
export async function findDeployment(client: Client, name: string): Promise<NamedDeployment> {
  const [flow, deploymentName, ...more] = name.split('/')
  if (flow !== undefined && deploymentName !== undefined && more.length === 0) {
    const deployment = await foundOr(client.readDeploymentByName(flow, deploymentName), () =>
      missingDeployment(name),
    )
    return { deployment, fullName: name }
  }
  const found = isUuid(name)
    ? [await foundOr(client.readDeployment(name), () => missingDeployment(name))]
    : await client.filterDeployments({ deployments: { name: { any_: [name] } } })
  const named = await withFlowNames(client, found)
  const [first, second] = named
  if (first === undefined) {
    throw missingDeployment(name)
  }
  if (second !== undefined) {
    throw new CliError(
      EXIT.refused,
      `Several deployments are called '${name}': ${named.map(({ fullName }) => fullName).join(', ')}.`,
      'Give the whole name, flow/deployment.',
    )
  }
  return first
}

function missingDeployment(name: string): CliError {
  return new CliError(
    EXIT.notFound,
    `There is no deployment '${name}'.`,
    'See `headgate deployment ls` for those there are.',
  )
}

/** Adds to each deployment the name of its flow, in one request for all. */
export async function withFlowNames(
  client: Client,
  deployments: readonly Deployment[],
): Promise<NamedDeployment[]> {
  const names = await flowNames(
    client,
    deployments.map(({ flow_id }) => flow_id),
  )
  return deployments.map((deployment) => ({
    deployment,
    fullName: `${names.get(deployment.flow_id) ?? '?'}/${deployment.name}`,
  }))
}

/** The names of flows by their ids. */
export async function flowNames(
  client: Client,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const wanted = [...new Set(ids)]
  if (wanted.length === 0) {
    return new Map()
  }
  const flows = await everyPage((page) =>
    client.filterFlows({ flows: { id: { any_: wanted } }, ...page }),
  )
  return new Map(flows.map(({ id, name }) => [id, name]))
}

/** Finds a flow run by its id, or by its name where only one has it. */
export async function findFlowRun(client: Client, name: string): Promise<FlowRun> {
  const missing = () =>
    new CliError(
      EXIT.notFound,
      `There is no flow run '${name}'.`,
      'See `headgate flow-run ls` for the latest ones.',
    )
  if (isUuid(name)) {
    return await foundOr(client.readFlowRun(name), missing)
  }
  const found = await client.filterFlowRuns({ flow_runs: { name: { any_: [name] } }, limit: 10 })
  const [first, second] = found
  if (first === undefined) {
    throw missing()
  }
  if (second !== undefined) {
    throw new CliError(
      EXIT.refused,
      `Several flow runs are called '${name}': ${found.map(({ id }) => id).join(', ')}.`,
      'Give the id.',
    )
  }
  return first
}

/** Waits for an answer and says a 404 in better words. */
export async function foundOr<T>(answer: Promise<T>, missing: () => CliError): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw error instanceof ApiError && error.status === 404 && !error.undecodable
      ? missing()
      : error
  }
}

const PAGE = 200

/** Reads a list to its end, or to `limit` entries, page by page. */
export async function everyPage<T>(
  read: (page: { limit: number; offset: number }) => Promise<T[]>,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const all: T[] = []
  while (all.length < limit) {
    const wanted = Math.min(PAGE, limit - all.length)
    // Each page begins where the one before ended.
    const page = await read({ limit: wanted, offset: all.length })
    all.push(...page)
    if (page.length < wanted) {
      break
    }
  }
  return all
}

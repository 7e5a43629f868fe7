import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { requestsOf } from '../../core/many-runs.ts'
import { withRetry } from '../../core/retry.ts'
import type { DeploymentFlowRunCreate } from '../../core/wire/deployment.ts'
import { usageError } from './cli-error.ts'
import { type Session, withApi } from './command.ts'
import { findDeployment } from './find.ts'
import { parseJsonObject, readSource } from './parameters.ts'

export function addRunManyCommand(deployments: Command): void {
  deployments
    .command('run-many')
    .description('create a flow run for each line of a file: 1,000 with each request')
    .argument('<name>', 'flow/deployment, or its id')
    .argument(
      '<file>',
      'lines of JSON such as {"parameters": {"day": "2026-01-31"}, "idempotency_key": "a-name-for-it"}; `-` is standard input',
    )
    .action(withApi(runMany))
}

async function runMany(
  { client, out }: Session,
  _options: object,
  name: string,
  file: string,
): Promise<void> {
  const flowRuns = readFlowRuns(file)
  const { deployment, fullName } = await findDeployment(client, name)
  const made: { id: string; created: boolean }[] = []
  for (const request of requestsOf(flowRuns)) {
    // oxlint-disable-next-line no-await-in-loop -- one after another, so that runs are made in their order
    const answer = await withRetry(
      () => client.createFlowRunsFromDeployment(deployment.id, request),
      { attempts: 3 },
    )
    made.push(...answer.flow_runs)
    if (flowRuns.length > request.length) {
      out.note(`${made.length} of ${flowRuns.length} flow runs`)
    }
  }
  out.result(made, () => {
    const created = made.filter((run) => run.created).length
    const there = made.length - created
    out.line(
      `Created ${created} flow runs of ${fullName}${there === 0 ? '' : `; ${there} were there already`}.`,
    )
  })
}

/** Each with a key, so that it is safe to ask again when an answer was lost. */
function readFlowRuns(file: string): DeploymentFlowRunCreate[] {
  const lines = readSource(file).split('\n')
  const flowRuns = lines.flatMap((line, index): DeploymentFlowRunCreate[] =>
    line.trim() === ''
      ? []
      : [{ idempotency_key: randomUUID(), ...parseJsonObject(line, `line ${index + 1}`) }],
  )
  if (flowRuns.length === 0) {
    throw usageError(`${file} has no line; write a JSON object such as {"parameters": {}} in each.`)
  }
  return flowRuns
}

import type { KeyObject } from 'node:crypto'
import { signDeployment } from '../../../agent/trust/signing-key.ts'
import type { ClaimedRun } from '../../../core/wire/execution.ts'
import { aClaimedRun, type ClaimedRunOverrides } from './a-claimed-run.ts'

/** A claimed run whose deployment was signed as it is, for the pool `pool`. */
export function aSignedRun(given: ClaimedRunOverrides, privateKey: KeyObject): ClaimedRun {
  const claimed = aClaimedRun(given)
  const { deployment, flow, job_configuration } = claimed
  if (deployment === null || flow === null) {
    throw new Error('only a deployment can be signed')
  }
  const signature = signDeployment(
    {
      flow_name: flow.name,
      deployment_name: deployment.name,
      work_pool_name: 'pool',
      entrypoint: deployment.entrypoint,
      path: deployment.path,
      pull_steps: deployment.pull_steps ?? [],
      job_configuration,
    },
    privateKey,
    Date.now() * 1000,
  )
  return { ...claimed, deployment: { ...deployment, signature } }
}

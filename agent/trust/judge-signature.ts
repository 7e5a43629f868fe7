import type { KeyObject } from 'node:crypto'
import { differingFields } from '../../core/signature.ts'
import { deploymentSignature } from '../../core/wire/signature.ts'
import type { ClaimedRun } from '../../core/wire/execution.ts'
import { digestsOf, isGenuine } from './signing-key.ts'

/** The public keys of those who may say what this agent runs, by their ids. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>

/**
 * Looks whether a claimed run executes what a trusted key has signed, all of it as the agent would execute it.
 * @param pool the pool that the agent was told to serve: a deployment that was signed for another is not for this host
 * @returns what is wrong, or undefined
 */
export function signatureFault(
  claimed: ClaimedRun,
  pool: string,
  keys: TrustedKeys,
): string | undefined {
  const { deployment, flow, job_configuration } = claimed
  if (deployment === null || flow === null) {
    return 'it belongs to no deployment, and only deployments are signed; run it from a deployment that is'
  }
  const label = `deployment '${flow.name}/${deployment.name}'`
  // An API that is older than signatures does not have the field.
  if (!deployment.signature) {
    return `${label} is not signed; ${ADVICE}`
  }
  const read = deploymentSignature.safeParse(deployment.signature)
  if (!read.success) {
    const [issue] = read.error.issues
    return `the signature of ${label} can't be read (${issue?.path.join('.')}: ${issue?.message}); ${ADVICE}`
  }
  const signature = read.data
  const key = keys.get(signature.key_id)
  if (key === undefined) {
    return `${label} is signed with the key ${signature.key_id}, which is none of those that this agent trusts; add its public key to them, or ${ADVICE}`
  }
  if (!isGenuine(signature, key)) {
    return `the signature of ${label} is forged or damaged: the key ${signature.key_id} has not made it; ${ADVICE}`
  }
  const differing = differingFields(
    signature.digests,
    digestsOf({
      flow_name: flow.name,
      deployment_name: deployment.name,
      work_pool_name: pool,
      entrypoint: deployment.entrypoint,
      path: deployment.path,
      pull_steps: deployment.pull_steps ?? [],
      job_configuration,
    }),
  )
  return differing.length === 0
    ? undefined
    : `this run of ${label} is not what was signed on ${signature.signed_at}: ${differing.join(', ')} ${differing.length === 1 ? 'differs' : 'differ'}. The deployment, its pool's base job template or the run's own job variables have changed; if that is meant, ${ADVICE}`
}

const ADVICE = 'deploy it again with: headgate deploy … --sign-with FILE'

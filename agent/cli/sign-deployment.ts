import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Client } from '../../core/client.ts'
import { resolveJobConfiguration } from '../../core/job-template.ts'
import { type SignedDeployment, signedFields } from '../../core/signature.ts'
import type { JsonObject } from '../../core/wire/common.ts'
import type { DeploymentUpdate } from '../../core/wire/deployment.ts'
import { readPrivateKey, signDeployment } from '../trust/signing-key.ts'
import { usageError } from './cli-error.ts'
import { findPool } from './work-pool.ts'

export interface SigningFacts {
  flowName: string
  deploymentName: string
  pool: string
  /** What would be sent without a signature. */
  body: DeploymentUpdate
  privateKey: KeyObject
  /** The pool's template may add to the job: the signer has looked at it. */
  acceptTemplate: boolean
}

/** @throws CliError that says what is wrong with the file */
export function readSigningKey(path: string): KeyObject {
  try {
    return readPrivateKey(readFileSync(path, 'utf8'))
  } catch (error) {
    throw usageError(
      `The signing key ${path} can't be used: ${(error as Error).message}.`,
      'Make one with `headgate signing-key create FILE`.',
    )
  }
}

/**
 * Adds the signature, and says all that it covers: what the API has of an earlier deploy must not be signed unseen, nor what
 * the pool's base job template adds.
 */
export async function signedBody(client: Client, facts: SigningFacts): Promise<DeploymentUpdate> {
  const { body, privateKey } = facts
  const said = {
    entrypoint: body.entrypoint ?? null,
    path: null,
    pull_steps: body.pull_steps ?? [],
    job_variables: body.job_variables ?? {},
  }
  const { base_job_template: template } = await findPool(client, facts.pool)
  const sign = (job: JsonObject): SignedDeployment => ({
    flow_name: facts.flowName,
    deployment_name: facts.deploymentName,
    work_pool_name: facts.pool,
    entrypoint: said.entrypoint,
    path: said.path,
    pull_steps: said.pull_steps,
    job_configuration: job,
  })
  const signed = sign(resolveJobConfiguration(template, said.job_variables, null))
  const own = resolveJobConfiguration(plainTemplate(said.job_variables), said.job_variables, null)
  const added = addedByTemplate(signed, sign(own))
  if (added.length > 0 && !facts.acceptTemplate) {
    throw usageError(
      `The base job template of work pool '${facts.pool}' adds to what would be signed for ${facts.flowName}/${facts.deploymentName}:\n${added.map((line) => `  ${line}`).join('\n')}`,
      'Whoever can change the template would have it signed. Look at it, and give --accept-template if it is right.',
    )
  }
  return { ...body, ...said, signature: signDeployment(signed, privateKey, Date.now() * 1000) }
}

/** A template that adds nothing: each variable is its own part of the job. */
function plainTemplate(variables: JsonObject): JsonObject {
  const keys = Object.keys(variables).map((key) => key.split('.')[0] ?? key)
  return {
    job_configuration: Object.fromEntries(keys.map((key) => [key, `{{ ${key} }}`])),
    variables: {},
  }
}

/** What the job has that the deployment does not say itself; a template's empty values are nothing. */
function addedByTemplate(signed: SignedDeployment, own: SignedDeployment): string[] {
  const said = signedFields(own)
  const nothing = new Set(['null', '""', '{}', '[]'])
  return [...signedFields(signed)]
    .filter(([name, text]) => !nothing.has(text) && said.get(name) !== text)
    .map(([name, text]) => `${name}: ${text}`)
}

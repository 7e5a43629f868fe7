import type { Json, JsonObject } from './wire/common.ts'
import type { DeploymentSignature } from './wire/signature.ts'

/** What decides which code runs where: all of it is signed. What a run may vary is not in here, its parameters above all. */
export interface SignedDeployment {
  flow_name: string
  deployment_name: string
  work_pool_name: string
  entrypoint: string | null
  path: string | null
  pull_steps: readonly JsonObject[]
  /** The base job template with the deployment's job variables filled in, and none of a run. */
  job_configuration: JsonObject
}

/** What says how a run is shown and stopped, and not what is executed: a run may have its own. */
const MAY_VARY = new Set(['name', 'stream_output', 'grace_seconds', 'start_timeout_seconds'])

/**
 * The fields of a deployment that are signed, each by a name of its own and as text: `entrypoint`, `pull_steps`,
 * `job_configuration.command`, `job_configuration.env.HOME`.
 */
export function signedFields(deployment: SignedDeployment): Map<string, string> {
  const { job_configuration: job, ...others } = deployment
  const fields = new Map<string, string>()
  for (const [name, value] of Object.entries(others)) {
    fields.set(name, canonicalJson(value as Json))
  }
  for (const [key, value] of Object.entries(job)) {
    if (MAY_VARY.has(key)) {
      continue
    }
    // A key with a dot must not pass for a variable of `env`.
    const name = `job_configuration.${key.replaceAll(/[\\.]/g, String.raw`\$&`)}`
    if (key === 'env' && isObject(value)) {
      for (const [variable, text] of Object.entries(value)) {
        fields.set(`${name}.${variable}`, canonicalJson(text))
      }
    } else {
      fields.set(name, canonicalJson(value))
    }
  }
  return fields
}

/** The text that is signed. Its first line keeps the key from saying the same of anything else. */
export function signedText(
  signature: Pick<DeploymentSignature, 'algorithm' | 'key_id' | 'signed_at' | 'digests'>,
): string {
  const { algorithm, key_id, signed_at, digests } = signature
  return `headgate deployment signature 1\n${canonicalJson({ algorithm, key_id, signed_at, digests })}`
}

/** The names of the fields in which a deployment is not what was signed, in their order. */
export function differingFields(
  signed: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): string[] {
  const names = new Set([...Object.keys(signed), ...Object.keys(found)])
  return [...names]
    .filter((name) => own(signed, name) === undefined || own(signed, name) !== own(found, name))
    .toSorted()
}

/** JSON that is the same for equal values: keys in the order of their characters, no spaces. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) {
    return `[${value.map((item) => canonicalJson(item)).join(',')}]`
  }
  if (isObject(value)) {
    const entries = Object.keys(value)
      .toSorted()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(own(value, key) ?? null)}`)
    return `{${entries.join(',')}}`
  }
  return JSON.stringify(value)
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

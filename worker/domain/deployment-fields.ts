import type { JsonObject } from '#core/wire/common.ts'
import type { Deployment, DeploymentCreate, DeploymentUpdate } from '#core/wire/deployment.ts'

/** The fields of a deployment that a request sets as they are; where its runs go is decided beside them. */
export type DeploymentFields = Partial<
  Pick<
    Deployment,
    | 'paused'
    | 'concurrency_options'
    | 'concurrency_key'
    | 'max_waiting_runs'
    | 'start_within_seconds'
    | 'signature'
    | 'enforce_parameter_schema'
    | 'parameter_openapi_schema'
    | 'parameters'
    | 'tags'
    | 'pull_steps'
    | 'description'
    | 'path'
    | 'version'
    | 'entrypoint'
    | 'job_variables'
    | 'storage_document_id'
    | 'infrastructure_document_id'
  > & { concurrency_limit: number | null }
>

type Body = DeploymentCreate | DeploymentUpdate

/** Fields that null takes away; in the others null leaves what is stored. */
const NULLABLE = [
  'concurrency_limit',
  'concurrency_options',
  'concurrency_key',
  'max_waiting_runs',
  'start_within_seconds',
  'signature',
  'parameter_openapi_schema',
  'pull_steps',
  'description',
  'path',
  'version',
  'entrypoint',
  'storage_document_id',
  'infrastructure_document_id',
] as const
const NEVER_NULL = [
  'paused',
  'enforce_parameter_schema',
  'parameters',
  'tags',
  'job_variables',
] as const

/** Only the fields that the request names, so that the others stay as they are. */
export function givenDeploymentFields(body: Body): DeploymentFields {
  const nullable = NULLABLE.filter((field) => body[field] !== undefined)
  const valued = NEVER_NULL.filter((field) => body[field] !== undefined && body[field] !== null)
  return Object.fromEntries([...nullable, ...valued].map((field) => [field, body[field]]))
}

/** What a new deployment has where its request says nothing; a schema that allows everything, as in Prefect. */
export const NEW_DEPLOYMENT = {
  paused: false,
  concurrency_limit: null,
  concurrency_options: null,
  concurrency_key: null,
  max_waiting_runs: null,
  start_within_seconds: null,
  signature: null,
  enforce_parameter_schema: true,
  parameter_openapi_schema: {},
  parameters: {},
  tags: [],
  pull_steps: [],
  description: null,
  path: null,
  version: null,
  entrypoint: null,
  job_variables: {},
  storage_document_id: null,
  infrastructure_document_id: null,
} satisfies Required<DeploymentFields>

/** The flow's labels, who the flow is, and the request's own, which win. */
export function deploymentLabels(
  flow: { id: string; labels: Deployment['labels'] },
  own: Deployment['labels'] | null | undefined,
): Deployment['labels'] {
  return { ...flow.labels, 'prefect.flow.id': flow.id, ...own }
}

/** The parameters and their schema as they will be. */
export interface ParameterRules {
  enforce: boolean
  schema: JsonObject | null
  parameters: JsonObject
}

export function parameterRulesAfter(
  before: Pick<Deployment, 'enforce_parameter_schema' | 'parameter_openapi_schema' | 'parameters'>,
  fields: DeploymentFields,
): ParameterRules {
  return {
    enforce: fields.enforce_parameter_schema ?? before.enforce_parameter_schema,
    // Null takes the schema away only for the runs to come: these parameters are still judged by the one before, as in Prefect.
    schema: fields.parameter_openapi_schema ?? before.parameter_openapi_schema,
    parameters: fields.parameters ?? before.parameters,
  }
}

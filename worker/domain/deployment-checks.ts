import { validateJobVariables } from '#core/job-template.ts'
import { validateParameters } from '#core/parameters.ts'
import type { JsonObject } from '#core/wire/common.ts'
import type { ParameterRules } from './deployment-fields.ts'
import { DomainError, type ErrorCode } from './errors.ts'
import { checkJsonSize } from './json-size.ts'
import { refuseIssues } from './refused.ts'

/** With which error a fault is answered: `invalid` when a deployment is made, `conflict` when it is changed, as in Prefect. */
export interface CheckedAs {
  code: ErrorCode
  verb: 'creating' | 'updating'
}

/** Job variables must fit the template of the pool; a run may still bring those that are required. */
export function checkJobVariables(
  template: JsonObject,
  variables: JsonObject | null | undefined,
  as: CheckedAs,
): void {
  if (variables === null || variables === undefined || Object.keys(variables).length === 0) {
    return
  }
  refuseIssues(() => validateJobVariables(template, [variables], { required: false }), {
    code: as.code,
    prefix: `Error ${as.verb} deployment: `,
    field: ['job_variables'],
  })
}

/** Parameters of a deployment are defaults: they must fit its schema as far as they are there. */
export function checkParameters(rules: ParameterRules, as: CheckedAs): void {
  checkJsonSize(rules.parameters, ['parameters'])
  if (!rules.enforce) {
    return
  }
  const { schema } = rules
  if (schema === null) {
    throw new DomainError(
      'conflict',
      `Error ${as.verb} deployment: Cannot update parameters because parameter schema enforcement is enabled and the deployment does not have a valid parameter schema.`,
    )
  }
  refuseIssues(() => validateParameters(schema, rules.parameters, { ignoreRequired: true }), {
    code: as.code,
    prefix: `Error ${as.verb} deployment: `,
    field: ['parameters'],
  })
}

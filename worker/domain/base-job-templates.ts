import type { JsonObject } from '../../core/wire/common.ts'

/** The types of infrastructure for which there is a base job template. */
export const WORK_POOL_TYPES: readonly string[] = ['process']

/**
 * The base job template that a new work pool of this type gets when none is given.
 * Undefined for a type that is not known here: such a pool's template stays empty until somebody sets one.
 */
export function baseJobTemplateFor(type: string): JsonObject | undefined {
  return type === 'process' ? structuredCloneOf(PROCESS_TEMPLATE) : undefined
}

/** A copy, so that no caller changes the template for the others. */
function structuredCloneOf(template: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(template)) as JsonObject
}

/** Prefect's `process` template, with the time that a run has to end when it is stopped. */
const PROCESS_TEMPLATE: JsonObject = {
  job_configuration: {
    command: '{{ command }}',
    env: '{{ env }}',
    labels: '{{ labels }}',
    name: '{{ name }}',
    stream_output: '{{ stream_output }}',
    working_dir: '{{ working_dir }}',
    grace_seconds: '{{ grace_seconds }}',
  },
  variables: {
    type: 'object',
    properties: {
      name: {
        title: 'Name',
        description: 'Name given to the process of a flow run.',
        type: 'string',
      },
      env: {
        title: 'Environment Variables',
        description: 'Environment variables to set when starting a flow run.',
        type: 'object',
        additionalProperties: { type: 'string' },
      },
      labels: {
        title: 'Labels',
        description: 'Labels applied to the process of a flow run.',
        type: 'object',
        additionalProperties: { type: 'string' },
      },
      command: {
        title: 'Command',
        description:
          'The command to use when starting a flow run. In most cases, this should be left blank and the command will be automatically generated.',
        type: 'string',
      },
      stream_output: {
        title: 'Stream Output',
        description: "If enabled, the output of flow runs is also written to the agent's own.",
        default: true,
        type: 'boolean',
      },
      working_dir: {
        title: 'Working Directory',
        description:
          'If provided, flow runs are started in this directory. Otherwise, a temporary directory is created.',
        type: 'string',
        format: 'path',
      },
      grace_seconds: {
        title: 'Grace Period',
        description:
          'Seconds that a flow run has to end by itself when it is stopped (SIGTERM), before it is killed (SIGKILL).',
        default: 30,
        type: 'integer',
        minimum: 0,
      },
    },
  },
}

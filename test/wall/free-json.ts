import type { Route } from '../support/routes.ts'
import type { Slot, Step } from './slots.ts'

const uuid = { type: 'string', format: 'uuid' }
const text = { type: 'string' }

/** What JSON of any form may refer to: documents, and variables by their names. */
export function slotsInFreeJson({ name }: Route): Slot[] {
  return SLOTS[name] ?? []
}

const variableIn = (...keys: string[]): Slot => ({
  ...slot([...keys, 'x', 'variable_name'], text, 'variable'),
  beside: { [keys.at(-1) ?? '']: { x: { __prefect_kind: 'workspace_variable' } } },
})
const documentIn = (...keys: string[]): Slot =>
  slot([...keys, '$ref', 'block_document_id'], uuid, 'block_document')
const inTemplate = documentIn('base_job_template', 'variables', 'properties', 'x', 'default')

const SLOTS: Record<string, Slot[]> = {
  'POST /block_documents/': [documentIn('data', 'x')],
  'PATCH /block_documents/{id}': [documentIn('data', 'x')],
  'POST /work_pools/': [inTemplate],
  'PATCH /work_pools/{name}': [inTemplate],
  'POST /deployments/': [variableIn('parameters')],
  'PATCH /deployments/{id}': [variableIn('parameters')],
  'POST /deployments/{id}/create_flow_run': [variableIn('parameters')],
  'POST /flow_runs/': [variableIn('parameters')],
  'POST /flow_runs/{id}/resume': [variableIn('run_input')],
  'POST /ui/schemas/validate': [variableIn('values')],
}

function slot(keys: string[], schema: Slot['schema'], noun: string): Slot {
  const steps = keys.map((key): Step => ({ key }))
  return { where: 'body', name: keys.join('.'), steps, words: [noun], schema, isList: false }
}

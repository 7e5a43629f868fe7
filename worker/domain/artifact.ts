import type { Json } from '#core/wire/common.ts'
import { DomainError } from './errors.ts'
import { textBytes } from './json-size.ts'
import { memberText } from './json-text.ts'
import type { ObjectEvent } from './object-event.ts'

/** A row of D1 has 2 MB at most, of which the rest of the artifact needs a little. */
const MAX_DATA_BYTES = 1_800_000

/** The data as it was sent; null for none, undefined when the request does not speak of it. */
export function artifactData(bodyText: string): string | null | undefined {
  const data = memberText(bodyText, 'data')
  const bytes = data === undefined ? 0 : textBytes(data)
  if (bytes > MAX_DATA_BYTES) {
    throw new DomainError(
      'invalid',
      `data may have ${MAX_DATA_BYTES} bytes of JSON at most, this has ${bytes}.`,
      { field: ['data'] },
    )
  }
  return data === 'null' ? null : data
}

/** Larger data is left out of events, which have 1.5 MB at most and are kept many to a row. */
const MAX_EVENT_BYTES = 100_000

export function artifactCollectionEvent(
  verb: 'created' | 'updated' | 'deleted',
  collection: {
    id: string
    key: string
    latest_id: string
    type: string | null
    description: string | null
    data: string | null
    flow_run_id: string | null
    task_run_id: string | null
  },
): ObjectEvent {
  const { id, key, latest_id, type, description, data, flow_run_id, task_run_id } = collection
  const related = [
    resource('artifact', latest_id, 'latest'),
    ...(flow_run_id === null ? [] : [resource('flow-run', flow_run_id, 'flow-run')]),
    ...(task_run_id === null ? [] : [resource('task-run', task_run_id, 'task-run')]),
  ]
  const told =
    data === null || textBytes(data) > MAX_EVENT_BYTES ? null : (JSON.parse(data) as Json)
  return {
    kind: 'artifact-collection',
    verb,
    id,
    name: key,
    related,
    payload: { key, type, data: told, description },
  }
}

function resource(kind: string, id: string, role: string): Record<string, string> {
  return { 'prefect.resource.id': `prefect.${kind}.${id}`, 'prefect.resource.role': role }
}

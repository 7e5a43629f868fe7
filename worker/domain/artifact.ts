import type { ArtifactUpdate } from '#core/wire/artifact.ts'
import type { Json } from '#core/wire/common.ts'
import { DomainError } from './errors.ts'
import { textBytes } from './json-size.ts'
import { memberText } from './json-text.ts'
import type { ObjectEvent } from './object-event.ts'

/** Bytes; together they leave a little of the 2 MB that a row of D1 may have. */
const MAX_BYTES = { data: 1_500_000, description: 200_000, metadata_: 200_000 }

/** What a request says of an artifact's content; the data as it was sent, and null for none. */
export function artifactContent(
  body: ArtifactUpdate,
  bodyText: string,
): {
  data?: string | null
  description?: string | null
  metadata_?: Record<string, string> | null
} {
  const { description, metadata_ } = body
  const data = memberText(bodyText, 'data')
  checkBytes('data', data ?? '')
  checkBytes('description', description ?? '')
  checkBytes('metadata_', JSON.stringify(metadata_ ?? {}))
  return {
    ...(data === undefined ? {} : { data: data === 'null' ? null : data }),
    ...(description === undefined ? {} : { description }),
    ...(metadata_ === undefined ? {} : { metadata_ }),
  }
}

function checkBytes(field: keyof typeof MAX_BYTES, text: string): void {
  const bytes = textBytes(text)
  if (bytes > MAX_BYTES[field]) {
    throw new DomainError(
      'invalid',
      `${field} may have ${MAX_BYTES[field]} bytes at most, this has ${bytes}.`,
      { field: [field] },
    )
  }
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

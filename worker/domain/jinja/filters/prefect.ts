import { LabelDiver, Resource } from '../labels.ts'
import { Model } from '../model.ts'
import { Moment } from '../moment.ts'
import { strftime } from '../strftime.ts'
import { typeError } from '../template-error.ts'
import { content, isText, type Runtime, typeName, Undefined, type Value } from '../value.ts'
import type { Filters } from './filter.ts'

export const PREFECT_FILTERS: Filters = {
  ui_url: (value, _args, runtime) => uiUrl(value, runtime),
  ui_resource_events_url: (value, _args, runtime) => {
    const resource = resourceOf(value, runtime)
    return resource === undefined || runtime.uiUrl === undefined
      ? null
      : link(runtime.uiUrl, `events?resource=${encodeURIComponent(resource)}`)
  },
  flow_run_id: (value) => {
    if (value === null || value instanceof Undefined || (isText(value) && content(value) === '')) {
      return null
    }
    if (!isText(value)) {
      throw typeError(`expected string or bytes-like object, got '${typeName(value)}'`)
    }
    const found = /flow-run\/([\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12})/.exec(
      content(value),
    )
    return found?.[1] ?? null
  },
}

/** Where the console shows a thing; the forms are those of its routes. */
const PATHS: Readonly<Partial<Record<string, string>>> = {
  flow: 'flows/{id}',
  'flow-run': 'runs/{id}',
  'task-run': 'runs/task-run/{id}',
  'block-document': 'blocks/{id}',
  'work-pool': 'work-pools/{id}',
  'work-queue': 'work-queues/{id}',
  deployment: 'deployments/{id}',
  automation: 'automations/{id}',
  'concurrency-limit': 'concurrency-limits/{id}',
}

function uiUrl(value: Value, runtime: Runtime): Value {
  const { uiUrl: base } = runtime
  if (base === undefined || !(value instanceof Model)) {
    return null
  }
  if (value instanceof Resource) {
    const [, kind = '', id = ''] = /^prefect\.([^.]+)(?:\..*)?\.([^.]*)$/s.exec(value.id()) ?? []
    return pathTo(base, kind, id)
  }
  const key = value.kind === 'work-pool' ? 'name' : 'id'
  const id = value.attribute(key, runtime)
  const occurred = value.attribute('occurred', runtime)
  if (value.kind === 'received-event' && isText(id) && occurred instanceof Moment) {
    return link(base, `events/event/${strftime(occurred.micros, '%Y-%m-%d')}/${content(id)}`)
  }
  return isText(id) ? pathTo(base, value.kind, content(id)) : ''
}

function pathTo(base: string, kind: string, id: string): Value {
  const path = PATHS[kind]
  return path === undefined ? null : link(base, path.replace('{id}', encodeURIComponent(id)))
}

function link(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}/${path}`
}

function resourceOf(value: Value, runtime: Runtime): string | undefined {
  if (value instanceof Resource) {
    return value.id()
  }
  if (!(value instanceof Model) || value instanceof LabelDiver) {
    return undefined
  }
  const id = value.attribute('id', runtime)
  return isText(id) && EVENTFUL.has(value.kind) ? `prefect.${value.kind}.${content(id)}` : undefined
}

const EVENTFUL: ReadonlySet<string> = new Set([
  'automation',
  'deployment',
  'flow',
  'flow-run',
  'task-run',
  'work-pool',
  'work-queue',
])
